"""A scan or its labels, in canonical orientation, with the way back to the file's own grid."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ivos.errors import InputError
from ivos.volume.checks import check_array, check_grid
from ivos.volume.cropping import uncropped
from ivos.volume.geometry import Geometry, Reorientation, difference, reorientation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivos.types import Array, Axis
    from ivos.volume.nifti_forms import NiftiForms


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
        nifti: what the header of a NIfTI file says of the place of ``source``: a NIfTI file on it is written with that.
    """

    array: Array
    geometry: Geometry
    source: Geometry
    modality: str | None = None
    names: Mapping[int, str] = field(default_factory=dict)
    frame_of_reference: str | None = None
    cropped: bool = False
    nifti: NiftiForms | None = None

    @staticmethod
    def from_array(
        array: Array,
        source: Geometry,
        *,
        modality: str | None = None,
        names: Mapping[int, str] | None = None,
        frame_of_reference: str | None = None,
        nifti: NiftiForms | None = None,
        what: str = "array",
    ) -> Volume:
        """A volume from voxels (Z, Y, X) in any orientation, given by ``source``.

        Args:
            array: intensities or label ids.
            source: the grid that the array lies on.
            modality: as in :class:`Volume`.
            names: as in :class:`Volume`.
            frame_of_reference: as in :class:`Volume`.
            nifti: as in :class:`Volume`.
            what: how to name the array in an error, a path for example.

        Raises:
            InputError: the array is not three-dimensional or not of the grid's shape, its voxels are not real numbers,
                or some are NaN or infinite; the grid has no spacing, or axes that are not at right angles. What takes a
                scan refuses a single slice, what takes labels those that are negative or fractional.
        """
        check_grid(source, what)
        check_array(array, source.shape, what)
        change = reorientation(source)
        return Volume(
            array=np.ascontiguousarray(change.array(array), array.dtype.newbyteorder("=")),
            geometry=change.geometry(source),
            source=source,
            modality=modality,
            names=names or {},
            frame_of_reference=frame_of_reference,
            nifti=nifti,
        )

    def with_array(self, array: Array, names: Mapping[int, str] | None = None) -> Volume:
        """Other voxels (Z, Y, X) on the same grid: labels of this scan, for example.

        Raises:
            InputError: another shape.
        """
        if array.shape != self.array.shape:
            raise InputError(f"array of shape {array.shape} for a volume of shape {self.array.shape}")
        return replace(self, array=array, names=names or {})

    @property
    def to_source(self) -> Reorientation:
        """How the array is brought back into the file's axis order and directions."""
        return reorientation(self.source).inverse()

    def source_array(self) -> Array:
        """The voxels as the file had them."""
        return np.ascontiguousarray(self.to_source.array(self.array))

    def source_index(self, axis: Axis, index: int) -> int:
        """The file's own number, from 0, of slice ``index`` along canonical ``axis``; its own inverse."""
        return self.geometry.shape[axis] - 1 - index if reorientation(self.source).flip[axis] else index


def on_grid_of(labels: Volume, scan: Volume, what: str) -> Volume:
    """``labels`` in the orientation of ``scan``, if both have the same grid of points.

    The same grid in another axis order or direction is the same grid. Where a NIfTI header can be read in several ways
    (:mod:`ivos.volume.nifti_forms`), labels fit that lie where some program puts the scan. Cropped labels are put where
    their origin says.

    Args:
        labels: a label volume.
        scan: the scan it belongs to.
        what: how to name the label volume in an error, a path for example.

    Raises:
        InputError: the grids differ; the message says by how much. Or they are the same in two ways that turn the
            labels differently.
    """
    grids = _grids(scan)
    if labels.cropped:
        labels = _uncropped_on_any(labels, grids, what)
    fitting = [_changes(_grids(labels), grid) for grid in grids]
    changes = [change for changes in fitting for change in changes]
    if not changes:
        change = reorientation(labels.geometry, scan.geometry.axes)
        differs = difference(scan.geometry, change.geometry(labels.geometry))
        raise InputError(f"{what}: not on the scan's grid: {differs}; draw on this scan or resample the labels to it")
    if any(found and changes[0] not in found for found in fitting):
        raise InputError(
            f"{what}: the scan's sform and qform turn these labels differently; give labels with both of its forms, or "
            "a scan with one of them"
        )
    return scan.with_array(np.ascontiguousarray(changes[0].array(labels.array)), labels.names)


def _uncropped_on_any(labels: Volume, grids: list[Geometry], what: str) -> Volume:
    """Cropped labels on the first of some grids that they are part of.

    Raises:
        InputError: they are part of none; the message is about the first.
    """
    refused: list[InputError] = []
    for grid in grids:
        try:
            return uncropped(labels, grid, what)
        except InputError as error:  # noqa: PERF203 - of a handful of grids
            refused.append(error)
    raise refused[0]


def _changes(labels: list[Geometry], scan: Geometry) -> list[Reorientation]:
    """What brings the grids of labels, those that it can, onto one of the scan."""
    changes = [(reorientation(grid, scan.axes), grid) for grid in labels]
    return [change for change, grid in changes if difference(scan, change.geometry(grid)) is None]


def _grids(volume: Volume) -> list[Geometry]:
    """The grid of a volume's array, then the others that its file may be read with, in the same axis order."""
    if volume.nifti is None:
        return [volume.geometry]
    change = reorientation(volume.source)
    return [volume.geometry, *(change.geometry(grid) for grid in volume.nifti.grids(volume.source.shape))]
