"""DICOM: series, segmentations, structure sets."""
