"""Small repairs of labels: one piece for each structure, and no holes in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ivos.volume.boxes import bounding_box

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from ivos.types import Array

_TOUCHING = np.ones((3, 3, 3), bool)  # voxels that share a corner belong together


def keep_largest_components(labels: Array, structures: Iterable[int]) -> None:
    """Make background of all but the largest connected component of each of these structures.

    Args:
        labels: label ids (Z, Y, X), changed in place.
        structures: label ids.
    """
    for _, part, mask in _boxed(labels, structures):
        components, count = ndimage.label(mask, _TOUCHING)
        if count > 1:
            largest = np.bincount(components.ravel())[1:].argmax() + 1
            part[mask & (components != largest)] = 0


def fill_holes(labels: Array, structures: Iterable[int]) -> None:
    """Give to each of these structures the background that it encloses on all sides; other structures stay.

    Args:
        labels: label ids (Z, Y, X), changed in place.
        structures: label ids.
    """
    for structure, part, mask in _boxed(labels, structures):
        part[ndimage.binary_fill_holes(mask) & (part == 0)] = structure


def _boxed(labels: Array, structures: Iterable[int]) -> Iterator[tuple[int, Array, npt.NDArray[np.bool_]]]:
    """Each structure that is there: its id, the box of labels around it, which is a view, and its mask in that."""
    for structure in structures:
        mask = labels == structure
        box = bounding_box(mask)
        if box is not None:
            yield structure, labels[box], mask[box]
