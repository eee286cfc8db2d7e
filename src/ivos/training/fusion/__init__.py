"""Training the network that fuses old and corrected masks."""
