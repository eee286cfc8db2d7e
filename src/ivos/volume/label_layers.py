"""Labels of which some share voxels: layers on one grid, each structure in one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ivos.volume.labels import apply_mapping
from ivos.volume.volume import Volume, on_grid_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ivos.types import Array
    from ivos.volume.geometry import Geometry


@dataclass(frozen=True, eq=False)
class LabelLayers:
    """Labels as a DICOM file may hold them: the body, an organ in it, a lesion in the organ.

    Attributes:
        layers: label volumes on one grid, at least one; a label id is in one of them alone.
    """

    layers: tuple[Volume, ...]

    @property
    def geometry(self) -> Geometry:
        """The grid of the arrays."""
        return self.layers[0].geometry

    @property
    def names(self) -> dict[int, str]:
        """Names by label id."""
        return {label: name for layer in self.layers for label, name in layer.names.items()}

    @property
    def ids(self) -> list[int]:
        """All ids in the voxels, ascending, without background."""
        return sorted({int(label) for layer in self.layers for label in np.unique(layer.array) if label})

    def mask(self, label: int) -> Array:
        """Where a structure is: bool (Z, Y, X)."""
        masks = [layer.array == label for layer in self.layers]
        found: Array = masks[0]
        for mask in masks[1:]:
            found |= mask
        return found

    def on_grid_of(self, other: Volume, what: str) -> LabelLayers:
        """The same in the orientation of another volume; see :func:`ivos.volume.volume.on_grid_of`.

        Raises:
            InputError: the grids differ.
        """
        return LabelLayers(tuple(on_grid_of(layer, other, what) for layer in self.layers))

    def numbered(self, ids: Mapping[int, int], names: Mapping[int, str]) -> LabelLayers:
        """The same under other label ids, which must differ from one another.

        Args:
            ids: new ids by old ones; an id without a new one is dropped.
            names: by new id.
        """
        return LabelLayers(tuple(layer.with_array(apply_mapping(layer.array, ids), names) for layer in self.layers))

    def without(self, where: Array) -> LabelLayers:
        """The same with background at some voxels.

        Args:
            where: bool (Z, Y, X).
        """
        return LabelLayers(
            tuple(layer.with_array(np.where(where, 0, layer.array), layer.names) for layer in self.layers)
        )

    def without_ids(self, ids: Collection[int]) -> LabelLayers:
        """The same with background in place of some labels, which lose their names too."""
        if not ids:
            return self
        layers = []
        for layer in self.layers:
            names = {label: name for label, name in layer.names.items() if label not in ids}
            gone = np.isin(layer.array, list(ids))
            layers.append(layer.with_array(np.where(gone, layer.array.dtype.type(0), layer.array), names))
        return LabelLayers(tuple(layers))

    def flat(self, on_top: int | None = None) -> Volume:
        """One label volume for a picture: of structures that share a voxel a later layer covers an earlier one.

        Args:
            on_top: a structure that is shown whole.
        """
        if len(self.layers) == 1:
            return self.layers[0]
        array = np.zeros(self.layers[0].array.shape, np.result_type(*(layer.array for layer in self.layers)))
        for layer in self.layers:
            np.copyto(array, layer.array, where=layer.array > 0)
        if on_top is not None:
            array[self.mask(on_top)] = on_top
        return self.layers[0].with_array(array, self.names)


def layers_of(labels: Volume | LabelLayers) -> LabelLayers:
    """Labels that share no voxel as a single layer."""
    return LabelLayers((labels,)) if isinstance(labels, Volume) else labels
