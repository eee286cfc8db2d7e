"""The shape of a structure on slices between two on which it is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import distance_transform_edt

from ivos.volume.boxes import bounding_box

if TYPE_CHECKING:
    import numpy.typing as npt

    from ivos.types import BoolArray


def shapes_between(before: BoolArray, after: BoolArray, count: int, spacing_mm: tuple[float, float]) -> list[BoolArray]:
    """The masks (H, W) of so many slices that lie evenly between two.

    On the way the distance from the outline, positive inside, goes evenly from the one slice's to the other's. Towards
    a slice where the structure is absent it shrinks to nothing.

    Args:
        before: mask (H, W) of the slice before them.
        after: of the slice after them.
        count: of slices between.
        spacing_mm: of the pixels (row, column).

    References:
        Raya, Udupa: Shape-based interpolation of multidimensional objects, IEEE Transactions on Medical Imaging, 1990.
    """
    box = bounding_box(before | after)
    masks = [np.zeros(before.shape, bool) for _ in range(count)]
    if box is None:
        return masks
    ends = [np.pad(mask[box], 1) for mask in (before, after)]  # the distance is to an outline, which needs an outside
    first, last = _depths(ends[0], ends[1], spacing_mm)
    for number, mask in enumerate(masks, start=1):
        depth = (count + 1 - number) * first + number * last
        mask[box] = (depth > 0)[1:-1, 1:-1]
    return masks


def _depths(
    before: BoolArray, after: BoolArray, spacing_mm: tuple[float, float]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Those of both; where one of them is empty it is the other one, sunk until nothing of it is left."""
    first, last = _depth(before, spacing_mm), _depth(after, spacing_mm)
    if not before.any():
        first = last - last.max()
    if not after.any():
        last = first - first.max()
    return first, last


def _depth(mask: BoolArray, spacing_mm: tuple[float, float]) -> npt.NDArray[np.float64]:
    """Millimetres to the outline, negative outside."""
    inner, outer = (distance_transform_edt(part, sampling=spacing_mm) for part in (mask, ~mask))
    depth: npt.NDArray[np.float64] = inner - outer
    return depth
