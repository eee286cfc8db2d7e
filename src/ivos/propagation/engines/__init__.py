"""propagation/engines."""
