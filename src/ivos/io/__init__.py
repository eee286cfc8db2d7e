"""Files in and out: readers, writers, and where they come from."""
