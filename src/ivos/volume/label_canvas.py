"""Structures that come one by one, painted into one label volume."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ivos.volume.volume import Array, Volume


class LabelCanvas:
    """Labels on a grid that fill up; no voxel may be of two structures.

    Args:
        grid: the volume whose grid they lie on.
        names: of the structures that will come, by label id.
        path: of the file that they come from, for messages.
    """

    def __init__(self, grid: Volume, names: Mapping[int, str], path: Path) -> None:
        self._grid, self._names, self._path = grid, names, path
        self._array = np.zeros(grid.array.shape, np.min_scalar_type(max(names, default=0)))

    def paint(self, where: tuple[slice, slice, slice], mask: Array, label: int) -> None:
        """Give the voxels of a mask to a structure.

        Args:
            where: the part of the grid that the mask covers, in its shape.
            mask: true where the structure is.
            label: its id.

        Raises:
            InputError: some of them are of another structure.
        """
        part = self._array[where]
        others = part[mask & (part != 0) & (part != label)]
        if others.size:
            one, other = (f"'{self._names.get(k, k)}' ({k})" for k in (int(others[0]), label))
            raise InputError(
                f"{self._path}: {one} and {other} overlap, and a voxel has one label: choose some by --structures, or "
                "take one out of the file"
            )
        part[mask] = label

    def finished(self) -> Volume:
        """What has been painted, with the names of what is there."""
        present = {int(label) for label in np.unique(self._array)}
        return self._grid.with_array(self._array, {k: name for k, name in self._names.items() if k in present})
