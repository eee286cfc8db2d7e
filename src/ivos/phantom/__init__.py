"""Synthetic abdominal CT with true labels, as many cases as one likes, from seeds."""

from __future__ import annotations

from ivos.phantom.abdomen import Phantom, abdomen
from ivos.phantom.cohort import write_cohort

__all__ = ["Phantom", "abdomen", "write_cohort"]
