"""The grid in which the refinement network sees a structure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ivos.types import FloatArray

_SMALL, _LARGE = 64, 96  # cells of a side: of structures that fit in them at full resolution, and of larger ones
_FINEST = 0.5  # pixels of a cell
_MULTIPLE = 16
_MARGIN_SHARE, _MARGIN_PIXELS, _MARGIN_SLICES = 0.2, 6, 5


@dataclass(frozen=True)
class Box:
    """A part of a stack of slices, and the grid that it is seen in.

    Attributes:
        first: first slice.
        last: last slice (excluded).
        top: first row; it may lie outside the slice.
        left: first column; likewise.
        height: rows.
        width: columns.
        rows: of the grid, a multiple of 16.
        columns: likewise.
    """

    first: int
    last: int
    top: int
    left: int
    height: int
    width: int
    rows: int
    columns: int

    @property
    def cell(self) -> float:
        """Pixels of a cell's side."""
        return self.height / self.rows

    def cut(self, plane: npt.NDArray[np.generic]) -> FloatArray:
        """The part of a slice (H, W) as (height, width), 0 beyond the slice."""
        part = np.zeros((self.height, self.width), np.float32)
        top, bottom = max(self.top, 0), min(self.top + self.height, plane.shape[0])
        left, right = max(self.left, 0), min(self.left + self.width, plane.shape[1])
        if bottom > top and right > left:
            part[top - self.top : bottom - self.top, left - self.left : right - self.left] = plane[
                top:bottom, left:right
            ]
        return part

    def shrink(self, part: FloatArray) -> FloatArray:
        """A part (height, width) on the grid (rows, columns)."""
        way = cv2.INTER_AREA if self.cell > 1 else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(part, (self.columns, self.rows), interpolation=way), np.float32)

    def enlarge(self, grid: FloatArray) -> FloatArray:
        """What is on the grid (rows, columns) as a part (height, width)."""
        return np.asarray(cv2.resize(grid, (self.width, self.height), interpolation=cv2.INTER_LINEAR), np.float32)


def box_about(extents: Iterable[tuple[int, tuple[int, int, int, int]]], slices: int) -> Box | None:
    """The box about a structure with room for what is missing of it; None where there is nothing.

    Args:
        extents: slices that show it, each with first and last (excluded) row and column.
        slices: how many the stack has.
    """
    found = list(extents)
    if not found:
        return None
    first = max(0, min(index for index, _ in found) - _MARGIN_SLICES)
    last = min(slices, max(index for index, _ in found) + 1 + _MARGIN_SLICES)
    top, bottom = min(place[0] for _, place in found), max(place[1] for _, place in found)
    left, right = min(place[2] for _, place in found), max(place[3] for _, place in found)
    margin = max(_MARGIN_PIXELS, round(_MARGIN_SHARE * max(bottom - top, right - left)))
    height, width = bottom - top + 2 * margin, right - left + 2 * margin
    side = max(height, width)
    cell = max(_FINEST, side / _SMALL) if side <= _SMALL else max(1.0, side / _LARGE)
    rows, columns = (int(np.ceil(length / cell / _MULTIPLE)) * _MULTIPLE for length in (height, width))
    whole_height, whole_width = round(rows * cell), round(columns * cell)
    return Box(
        first,
        last,
        (top + bottom - whole_height) // 2,
        (left + right - whole_width) // 2,
        whole_height,
        whole_width,
        rows,
        columns,
    )
