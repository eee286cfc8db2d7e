"""Where a segmentation is doubtful, and an estimate of its DSC without the truth."""
