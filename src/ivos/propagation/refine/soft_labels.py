"""What the passes found, kept until all slices are there: probabilities of every structure, eight bits each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ivos.propagation.fusion import PackedMasks

if TYPE_CHECKING:
    from ivos.propagation.masks import Masks
    from ivos.propagation.patch import Patch
    from ivos.propagation.refine.grid import Box


class SoftLabels:
    """Probabilities of K structures on N slices, packed.

    Args:
        slices: N.
        shape: (H, W) of a slice.
        structures: K.
    """

    def __init__(self, slices: int, shape: tuple[int, int], structures: int) -> None:
        self.shape, self.structures = shape, structures
        empty = PackedMasks(shape, (None,) * structures)
        self._slices = [empty] * slices

    def __len__(self) -> int:
        return len(self._slices)

    def keep(self, index: int, masks: Masks) -> None:
        """Keep what was found on a slice."""
        self._slices[index] = PackedMasks.pack(masks)

    def masks(self, index: int) -> Masks:
        """What is kept of a slice."""
        return self._slices[index].unpack()

    def extents(self) -> list[list[tuple[int, tuple[int, int, int, int]]]]:
        """For each structure the slices that likely show it, each with first and last (excluded) row and column."""
        found: list[list[tuple[int, tuple[int, int, int, int]]]] = [[] for _ in range(self.structures)]
        for index in range(len(self)):
            for own, patch in zip(found, self.masks(index).patches, strict=True):
                place = None if patch is None else patch.likely()
                if place is not None:
                    own.append((index, place))
        return found


def dense_part(patch: Patch | None, box: Box) -> npt.NDArray[np.float32]:
    """Probabilities (h, w) in the rectangle of a box, 0 where nothing is known."""
    part = np.zeros((box.height, box.width), np.float32)
    if patch is None:
        return part
    rows, columns = patch.place
    top, bottom = max(rows.start, box.top), min(rows.stop, box.top + box.height)
    left, right = max(columns.start, box.left), min(columns.stop, box.left + box.width)
    if bottom > top and right > left:
        values = patch.values[top - rows.start : bottom - rows.start, left - columns.start : right - columns.start]
        part[top - box.top : bottom - box.top, left - box.left : right - box.left] = values
    return part
