"""Training volumes with real anatomy: synthetic images of label maps, pseudo-structures of real scans."""
