"""Carrying drawn slices through a scan."""
