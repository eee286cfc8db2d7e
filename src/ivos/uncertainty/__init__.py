"""Uncertainty of a segmentation, and estimates of its DSC without ground truth."""
