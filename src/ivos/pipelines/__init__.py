"""One scan: read, run, write, report."""
