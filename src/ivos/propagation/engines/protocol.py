"""What every propagation engine can do; the walk knows nothing more of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Slice:
    """One slice of a scan, as an engine sees it.

    Attributes:
        index: its number along the walked axis; neighbours differ by one.
        image: three intensity windows (3, H, W), float32 in [0, 1].
        spacing_mm: pixel spacing (row, column).
    """

    index: int
    image: FloatArray
    spacing_mm: tuple[float, float]


class Engine(Protocol):
    """Carries the masks of K structures from slice to slice.

    A pass over the scan is: ``reset()``; ``observe`` every annotated slice, the one to start from last; then
    ``predict`` one neighbouring slice after another in one direction, with ``observe`` again on each annotated slice
    that is reached. K stays the same until the next ``reset``.
    """

    def observe(self, image: Slice, masks: FloatArray, known: BoolArray) -> None:
        """Take a slice whose masks are trusted; the walk goes on from it.

        Args:
            image: the slice.
            masks: (K, H, W) in [0, 1], at most 1 in sum over K.
            known: (K,) which structures the annotation speaks of. An all-zero mask of a known structure says that it
                is absent here; the mask of an unknown one is what the pass believes so far, or zero.
        """

    def predict(self, image: Slice) -> FloatArray:
        """Probabilities (K + 1, H, W), background first, summing to 1, of the slice next to the last one."""

    def reset(self) -> None:
        """Forget everything."""
