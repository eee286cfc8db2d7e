"""Training the small network that converts strokes to masks."""
