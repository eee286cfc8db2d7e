"""Labels whose file left out the margins of the scan's grid, as segmentations of 3D Slicer do, put back on it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ivos.errors import InputError
from ivos.volume.geometry import difference, reorientation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivos.volume.geometry import Geometry
    from ivos.volume.volume import Volume


def uncropped(labels: Volume, grid: Geometry, what: str) -> Volume:
    """Cropped labels with the margins of a grid, as background; and without those beyond it.

    Args:
        labels: on some of the voxels of the grid.
        grid: in any orientation.
        what: how to name the label volume in an error, a path for example.

    Returns:
        The labels on the whole grid; as they came where they are not cropped.

    Raises:
        InputError: their voxels are not the grid's, or something is labelled beyond it.
    """
    if not labels.cropped:
        return labels
    change = reorientation(labels.geometry, grid.axes)
    part, array = change.geometry(labels.geometry), change.array(labels.array)
    corner = np.rint(grid.indices_at([part.origin_mm])[0])
    x, y, z = (float(v) for v in grid.points_mm([corner])[0])
    differs = difference(replace(grid, shape=part.shape, origin_mm=(x, y, z)), part)
    if differs:
        raise InputError(f"{what}: not on the scan's grid: {differs}; draw on this scan or resample the labels to it")
    before = [int(c) for c in corner]
    inside = array[tuple(slice(max(0, -b), max(0, n - b)) for b, n in zip(before, grid.shape, strict=True))]
    lost = np.count_nonzero(array) - np.count_nonzero(inside)
    if lost:
        raise InputError(f"{what}: {lost:,} labelled voxels lie beyond the scan; give the scan that it was drawn on")
    whole = np.zeros(grid.shape, array.dtype)
    whole[tuple(slice(max(0, b), max(0, b) + n) for b, n in zip(before, inside.shape, strict=True))] = inside
    return replace(labels, array=whole, geometry=grid, source=grid, cropped=False)


def on_one_grid(labels: Sequence[Volume], what: Sequence[str]) -> list[Volume]:
    """Label volumes of one scan, the cropped ones with the margins that the others have, or all of them together.

    Args:
        labels: at least one.
        what: how to name each in an error, a path for example.

    Raises:
        InputError: something is labelled beyond the grid of those that are not cropped.
    """
    whole = [volume.geometry for volume in labels if not volume.cropped]
    grid = whole[0] if whole else labels[0].geometry
    for volume in [] if whole else labels:
        grid = joint_grid(grid, volume.geometry)
    return [uncropped(volume, grid, name) for volume, name in zip(labels, what, strict=True)]


def joint_grid(grid: Geometry, other: Geometry) -> Geometry:
    """The smallest grid with the voxels of the first that reaches as far as both."""
    corners = [(0, 0, 0), tuple(n - 1 for n in other.shape)]
    ends = np.rint(grid.indices_at(other.points_mm(corners)))
    lowest = np.minimum(ends.min(axis=0), 0).astype(int)
    highest = np.maximum(ends.max(axis=0).astype(int), np.asarray(grid.shape) - 1)
    z, y, x = (int(n) for n in highest - lowest + 1)
    a, b, c = (float(v) for v in grid.points_mm([lowest])[0])
    return replace(grid, shape=(z, y, x), origin_mm=(a, b, c))
