"""A person's work on one scan: drawing, propagating, correcting, undoing, saving."""
