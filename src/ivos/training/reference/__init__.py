"""Training networks that segment single slices."""
