"""What a memory network remembers, within a budget in bytes."""
