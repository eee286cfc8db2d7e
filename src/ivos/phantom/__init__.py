"""Synthetic scans with true labels, generated from seeds: abdomens, and random shapes."""

from __future__ import annotations

from ivos.phantom.abdomen import abdomen
from ivos.phantom.case import Phantom
from ivos.phantom.cohort import write_cohort
from ivos.phantom.random_shapes import random_shapes

__all__ = ["Phantom", "abdomen", "random_shapes", "write_cohort"]
