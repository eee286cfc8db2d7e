"""Clicks, scribbles and boxes to masks."""
