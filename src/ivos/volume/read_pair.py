"""Two label files of one scan on one grid, where a DICOM file may hold only the slices that something is on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ivos.volume.dicom_labels import holds_dicom_labels
from ivos.volume.read import read_labels
from ivos.volume.volume import Volume, uncropped

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from ivos.volume.geometry import Geometry


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
        first, second = (read_labels(path, structures=structures, names=names) for path in (one, other))
        return _uncropped(first, second, one, other)
    both = _joint(read_labels(one), read_labels(other))
    first, second = (read_labels(path, scan=both, structures=structures, names=names) for path in (one, other))
    return first, second


def _uncropped(first: Volume, second: Volume, one: Path, other: Path) -> tuple[Volume, Volume]:
    """Both on one grid, where only the margins that a segmentation left out tell their grids apart."""
    if first.cropped and second.cropped:
        grid = _joint(first, second).geometry
    else:
        grid = (second if first.cropped else first).geometry
    return (
        uncropped(first, grid, str(one)) if first.cropped else first,
        uncropped(second, grid, str(other)) if second.cropped else second,
    )


def _joint(one: Volume, other: Volume) -> Volume:
    """An empty volume on the grid of the first that reaches as far as both."""
    grid = one.geometry
    ends = np.rint(grid.indices_at(other.geometry.points_mm(_corners(other.geometry))))
    lowest = np.minimum(ends.min(axis=0), 0).astype(int)
    highest = np.maximum(ends.max(axis=0).astype(int), np.asarray(grid.shape) - 1)
    z, y, x = (int(n) for n in highest - lowest + 1)
    a, b, c = (float(v) for v in grid.points_mm([lowest])[0])
    wide = replace(grid, shape=(z, y, x), origin_mm=(a, b, c))
    return Volume.from_array(np.zeros(wide.shape, np.uint8), wide, frame_of_reference=one.frame_of_reference)


def _corners(grid: Geometry) -> list[tuple[int, ...]]:
    return [(0, 0, 0), tuple(n - 1 for n in grid.shape)]
