"""Volumes to learn from that hold real anatomy: synthetic images of label maps, pseudo-structures of real scans."""
