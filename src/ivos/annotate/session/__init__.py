"""One open scan and the jobs that run on it."""
