"""Volumes: voxels, the grid that they lie on, and the files that hold them."""
