"""A structure's probabilities on a slice, kept only where it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ivos.volume.boxes import bounding_box

if TYPE_CHECKING:
    import numpy.typing as npt

    from ivos.types import FloatArray


@dataclass(frozen=True)
class Patch:
    """Probabilities in a rectangle of a slice; zero around it.

    Attributes:
        top: first row of the rectangle in the slice.
        left: first column.
        values: (h, w) in [0, 1].
    """

    top: int
    left: int
    values: FloatArray

    @staticmethod
    def of(mask: npt.NDArray[Any]) -> Patch | None:
        """The filled part of a mask (H, W); None for an empty one."""
        box = bounding_box(mask > 0)
        if box is None:
            return None
        rows, columns = box
        return Patch(rows.start, columns.start, np.ascontiguousarray(mask[rows, columns], np.float32))

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns of the rectangle."""
        height, width = self.values.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    @property
    def area(self) -> float:
        """Sum of the probabilities, in pixels."""
        return float(self.values.sum())

    def likely(self) -> tuple[int, int, int, int] | None:
        """First and last (excluded) row and column where it is likelier than not; None if nowhere."""
        box = bounding_box(self.values > 0.5)
        if box is None:
            return None
        rows, columns = box
        return self.top + rows.start, self.top + rows.stop, self.left + columns.start, self.left + columns.stop

    def dense(self, shape: tuple[int, int]) -> FloatArray:
        """In a slice of that shape (H, W)."""
        mask = np.zeros(shape, np.float32)
        mask[self.place] = self.values
        return mask
