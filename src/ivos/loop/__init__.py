"""Self-training: rounds of training, segmenting unlabelled scans, and training on accepted pseudo-labels."""
