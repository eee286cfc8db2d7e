"""Reference networks over whole scans, and the two stages together."""
