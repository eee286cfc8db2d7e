"""Training the small network that makes masks of strokes."""
