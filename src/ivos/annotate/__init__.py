"""The annotation server: scans, sessions, what is kept of them, and the page's interface."""
