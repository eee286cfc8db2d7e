"""Metrics of segmentations against ground truth."""
