"""Training the small network that propagates."""
