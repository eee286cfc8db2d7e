"""Two label files of one scan on one grid, where a DICOM file may hold only the slices that something is on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ivos.errors import InputError
from ivos.volume.dicom_labels import holds_contours, holds_dicom_labels, read_dicom_label_layers
from ivos.volume.label_layers import LabelLayers, layers_of
from ivos.volume.read import read, read_labels
from ivos.volume.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ivos.volume.geometry import Geometry


def read_pair(
    one: Path,
    other: Path,
    *,
    scan: Path | None = None,
    names: Mapping[int, str] | None = None,
) -> tuple[LabelLayers, LabelLayers]:
    """Read two label files that are to be compared; structures of a DICOM file may overlap.

    DICOM files are put on the grid of the scan. Without it one is put on the grid of the other file, and two of them on
    the smallest grid that holds both; two files with contours need the scan, and so do contours and segments.

    Args:
        one: a label file.
        other: another one.
        scan: the scan that they lie on; it is read where a file is DICOM.
        names: of DICOM files, names by label id of the structures to take.

    Raises:
        InputError: as :func:`ivos.volume.read.read_labels`, or contours without a grid.
    """
    by_header = [holds_dicom_labels(path) for path in (one, other)]
    if not any(by_header):
        return layers_of(read_labels(one)), layers_of(read_labels(other))
    if scan is not None:
        grid = read(scan)
        first, second = (read_label_layers(path, grid, names=names) for path in (one, other))
        return first, second
    if by_header == [False, True]:
        voxels = read_labels(one)
        return layers_of(voxels), read_label_layers(other, voxels, names=names)
    if by_header == [True, False]:
        voxels = read_labels(other)
        return read_label_layers(one, voxels, names=names), layers_of(voxels)
    for path in (one, other):
        if holds_contours(path):
            raise InputError(
                f"{path}: an RT Structure Set has contours and no voxels; give the scan too, with --scans, or "
                "compare it with a file of voxels such as NIfTI"
            )
    both = _joint(read_label_layers(one), read_label_layers(other))
    first, second = (read_label_layers(path, both, names=names) for path in (one, other))
    return first, second


def read_label_layers(path: Path, scan: Volume | None = None, *, names: Mapping[int, str] | None = None) -> LabelLayers:
    """Read labels of which some may overlap: those of DICOM files; of other files as a single layer.

    Args:
        path: a label file.
        scan: on whose grid a DICOM file is put.
        names: of a DICOM file, names by label id of the structures to take.

    Raises:
        InputError: as :func:`ivos.volume.read.read_labels`, but for overlap.
    """
    if holds_dicom_labels(path):
        return read_dicom_label_layers(path, scan, names=names)
    return layers_of(read_labels(path))


def _joint(one: LabelLayers, other: LabelLayers) -> Volume:
    """An empty volume on the grid of the first that reaches as far as both."""
    grid = one.geometry
    ends = np.rint(grid.indices_at(other.geometry.points_mm(_corners(other.geometry))))
    lowest = np.minimum(ends.min(axis=0), 0).astype(int)
    highest = np.maximum(ends.max(axis=0).astype(int), np.asarray(grid.shape) - 1)
    z, y, x = (int(n) for n in highest - lowest + 1)
    a, b, c = (float(v) for v in grid.points_mm([lowest])[0])
    wide = replace(grid, shape=(z, y, x), origin_mm=(a, b, c))
    frame = one.layers[0].frame_of_reference
    return Volume.from_array(np.zeros(wide.shape, np.uint8), wide, frame_of_reference=frame)


def _corners(grid: Geometry) -> list[tuple[int, ...]]:
    return [(0, 0, 0), tuple(n - 1 for n in grid.shape)]
