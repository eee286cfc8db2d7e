"""The annotation page over HTTP."""
