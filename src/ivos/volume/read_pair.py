"""Two label files of one scan on one grid, where a DICOM file may hold only the slices that something is on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ivos.volume.cropping import joint_grid, on_one_grid
from ivos.volume.dicom_labels import holds_dicom_labels
from ivos.volume.read import read_labels
from ivos.volume.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path


def read_pair(
    one: Path,
    other: Path,
    *,
    structures: Collection[int] | None = None,
    names: Mapping[int, str] | None = None,
) -> tuple[Volume, Volume]:
    """Read two label files that are to be compared.

    A DICOM file, or a cropped segmentation of 3D Slicer, is put on the grid of the other one; two of them on the
    smallest grid that holds both.

    Args:
        one: a label file.
        other: another one.
        structures: of DICOM files, the label ids to take.
        names: of DICOM files, names by label id of the structures to take.

    Raises:
        InputError: as :func:`ivos.volume.read.read_labels`.
    """
    by_header = [holds_dicom_labels(path) for path in (one, other)]
    if by_header == [False, True]:
        first = read_labels(one)
        return first, read_labels(other, scan=first, structures=structures, names=names)
    if by_header == [True, False]:
        second = read_labels(other)
        return read_labels(one, scan=second, structures=structures, names=names), second
    if by_header == [False, False]:
        as_read = [read_labels(path, structures=structures, names=names) for path in (one, other)]
        first, second = on_one_grid(as_read, [str(one), str(other)])
        return first, second
    both = _joint(read_labels(one), read_labels(other))
    first, second = (read_labels(path, scan=both, structures=structures, names=names) for path in (one, other))
    return first, second


def _joint(one: Volume, other: Volume) -> Volume:
    """An empty volume on the grid of the first that reaches as far as both."""
    wide = joint_grid(one.geometry, other.geometry)
    return Volume.from_array(np.zeros(wide.shape, np.uint8), wide, frame_of_reference=one.frame_of_reference)
