"""Structures that come one by one, painted into label volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ivos.errors import InputError
from ivos.volume.label_layers import LabelLayers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ivos.types import Array
    from ivos.volume.volume import Volume

    Part = tuple[slice, slice, slice]


class LabelCanvas:
    """Labels on a grid that fill up.

    Args:
        grid: the volume whose grid they lie on.
        names: of the structures that will come, by label id.
        path: of the file that they come from, for messages.
        overlapping: whether a voxel may be of several structures, which then lie in layers.
    """

    def __init__(self, grid: Volume, names: Mapping[int, str], path: Path, *, overlapping: bool = False) -> None:
        self._grid, self._names, self._path, self._overlapping = grid, names, path, overlapping
        self._layers = [self._empty()]
        self._layer_of: dict[int, int] = {}  # number of the layer by label

    def paint(self, where: Part, mask: Array, label: int) -> None:
        """Give the voxels of a mask to a structure.

        Args:
            where: the part of the grid that the mask covers, in its shape.
            mask: true where the structure is.
            label: its id.

        Raises:
            InputError: some of them are of another structure, and none may be of two.
        """
        number = self._layer_of.setdefault(label, 0)
        other = self._other(number, where, mask, label)
        if other and not self._overlapping:
            one, two = (f"'{self._names.get(k, k)}' ({k})" for k in (other, label))
            raise InputError(
                f"{self._path}: {one} and {two} overlap, and a voxel has one label: choose some by --structures, or "
                "take one out of the file"
            )
        if other:
            self._move_up(label, where, mask)
        self._layers[self._layer_of[label]][where][mask] = label

    def finished(self) -> Volume:
        """What has been painted, with the names of what is there; of a canvas without overlap."""
        return self._volume(self._layers[0])

    def finished_layers(self) -> LabelLayers:
        """What has been painted, in as many layers as overlapping structures need."""
        return LabelLayers(tuple(map(self._volume, self._layers)))

    def _empty(self) -> Array:
        return np.zeros(self._grid.array.shape, np.min_scalar_type(max(self._names, default=0)))

    def _volume(self, array: Array) -> Volume:
        present = {int(label) for label in np.unique(array)}
        return self._grid.with_array(array, {k: name for k, name in self._names.items() if k in present})

    def _other(self, number: int, where: Part, mask: Array, label: int) -> int:
        """A structure that has voxels of the mask in a layer; 0 if none has."""
        part = self._layers[number][where]
        others = part[mask & (part != 0) & (part != label)]
        return int(others[0]) if others.size else 0

    def _move_up(self, label: int, where: Part, mask: Array) -> None:
        """Move a structure into the first layer in which all that it has, and the mask, finds room."""
        whole = self._layers[self._layer_of[label]] == label
        whole[where] |= mask
        everywhere = (slice(None), slice(None), slice(None))
        before = self._layer_of[label]
        number = before + 1
        while number < len(self._layers) and self._other(number, everywhere, whole, label):
            number += 1
        if number == len(self._layers):
            self._layers.append(self._empty())
        layer = self._layers[before]
        layer[layer == label] = 0
        self._layers[number][whole] = label
        self._layer_of[label] = number
