"""The panel: how right propagation is on cohorts with expert labels, by one protocol.

*One slice*: every structure of at least 100 voxels on at least 4 slices is annotated on its own largest slice and on no
other, all structures of a scan in one propagation, no slice fully annotated. *Every n-th*: slices n/2, n/2 + n, ... are
fully annotated. Scores are over the slices on which a structure was not annotated, as a mean over the structures of a
scan, then over scans.
"""
