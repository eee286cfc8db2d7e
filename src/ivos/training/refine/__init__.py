"""Training the network that refines propagated structures in three dimensions."""
