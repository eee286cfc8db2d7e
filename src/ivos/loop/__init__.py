"""Rounds of training, segmenting what has no labels, and training on what can be trusted of it."""
