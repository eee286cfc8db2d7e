"""One job over many scans: on this machine or a cluster, resumable."""
