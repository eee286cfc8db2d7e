"""Training on synthetic scans or on the user's own."""
