"""A scan or its labels, in canonical orientation, with the way back to the file's own grid."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ivos.errors import InputError
from ivos.volume.cropping import uncropped
from ivos.volume.geometry import Geometry, Reorientation, difference, reorientation

if TYPE_CHECKING:
    from collections.abc import Mapping

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels and where they lie.

    Attributes:
        array: voxels (Z, Y, X) in canonical orientation (see :mod:`ivos.volume.geometry`): intensities (HU for CT)
            or integer label ids.
        geometry: the grid of ``array``.
        source: the grid of the file that the voxels came from; what is written goes back to it.
        modality: ``"CT"``, ``"MR"`` or another DICOM modality where the file says so, else None.
        names: label ids to names where the file says so.
        frame_of_reference: the UID of the coordinate system of its points, where it came as DICOM: points of two files
            can be compared if theirs is the same.
        cropped: whether the grid may leave out margins where nothing is labelled, as segmentations of 3D Slicer do.
    """

    array: Array
    geometry: Geometry
    source: Geometry
    modality: str | None = None
    names: Mapping[int, str] = field(default_factory=dict)
    frame_of_reference: str | None = None
    cropped: bool = False

    @staticmethod
    def from_array(
        array: Array,
        source: Geometry,
        *,
        modality: str | None = None,
        names: Mapping[int, str] | None = None,
        frame_of_reference: str | None = None,
    ) -> Volume:
        """A volume from voxels (Z, Y, X) in any orientation, given by ``source``.

        Raises:
            ValueError: the array's shape is not that of the grid.
        """
        if array.shape != source.shape:
            raise ValueError(f"array of shape {array.shape} on a grid of shape {source.shape}")
        change = reorientation(source)
        return Volume(
            array=np.ascontiguousarray(change.array(array)),
            geometry=change.geometry(source),
            source=source,
            modality=modality,
            names=names or {},
            frame_of_reference=frame_of_reference,
        )

    def with_array(self, array: Array, names: Mapping[int, str] | None = None) -> Volume:
        """Other voxels (Z, Y, X) on the same grid: labels of this scan, for example."""
        if array.shape != self.array.shape:
            raise ValueError(f"array of shape {array.shape} for a volume of shape {self.array.shape}")
        return replace(self, array=array, names=names or {})

    @property
    def to_source(self) -> Reorientation:
        """How the array is brought back into the file's axis order and directions."""
        return reorientation(self.source).inverse()

    def source_array(self) -> Array:
        """The voxels as the file had them."""
        return np.ascontiguousarray(self.to_source.array(self.array))

    def source_index(self, axis: int, index: int) -> int:
        """The file's own number, from 0, of slice ``index`` along canonical ``axis``; its own inverse."""
        return self.geometry.shape[axis] - 1 - index if reorientation(self.source).flip[axis] else index


def on_grid_of(labels: Volume, scan: Volume, what: str) -> Volume:
    """``labels`` in the orientation of ``scan``, if both have the same grid of points.

    The same grid in another axis order or direction is the same grid. Cropped labels are put where their origin says.

    Args:
        labels: a label volume.
        scan: the scan it belongs to.
        what: how to name the label volume in an error, a path for example.

    Raises:
        InputError: the grids differ; the message says by how much.
    """
    if labels.cropped:
        labels = uncropped(labels, scan.geometry, what)
    change = reorientation(labels.geometry, scan.geometry.axes)
    geometry = change.geometry(labels.geometry)
    differs = difference(scan.geometry, geometry)
    if differs:
        raise InputError(f"{what}: not on the scan's grid: {differs}; draw on this scan or resample the labels to it")
    return scan.with_array(np.ascontiguousarray(change.array(labels.array)), labels.names)
