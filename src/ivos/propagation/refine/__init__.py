"""The refinement of propagated structures in three dimensions."""
