"""Two label files of one scan on one grid, where a DICOM file may hold only the slices that something is on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ivos.errors import InputError
from ivos.io.dicom.labels import holds_contours, holds_dicom_labels, read_dicom_label_layers
from ivos.io.read import read, read_labels
from ivos.io.slicer_segments import is_segmentation, read_segmentation_layers
from ivos.volume.cropping import joint_grid, on_one_grid, uncropped
from ivos.volume.label_layers import LabelLayers, layers_of
from ivos.volume.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def read_pair(
    one: Path,
    other: Path,
    *,
    scan: Path | None = None,
    names: Mapping[int, str] | None = None,
) -> tuple[LabelLayers, LabelLayers]:
    """Read two label files that are to be compared; structures of a DICOM file may overlap.

    DICOM files are put on the grid of the scan. Without it one is put on the grid of the other file, and two of them on
    the smallest grid that holds both; two files with contours need the scan, and so do contours and segments. A cropped
    segmentation of 3D Slicer is put on the grid of the other file, two of them on the smallest that holds both.

    Args:
        one: a label file.
        other: another one.
        scan: the scan that they lie on; it is read where a file is DICOM.
        names: of DICOM files, names by label id of the structures to take.

    Raises:
        InputError: as :func:`ivos.io.read.read_labels`, or contours without a grid.
    """
    by_header = [holds_dicom_labels(path) for path in (one, other)]
    if not any(by_header):
        first, second = (read_label_layers(path, names=names) for path in (one, other))
        return _uncropped_pair(first, second, one, other)
    if scan is not None:
        grid = read(scan)
        first, second = (read_label_layers(path, grid, names=names) for path in (one, other))
        return first, second
    if by_header == [False, True]:
        first = read_label_layers(one, names=names)
        return first, read_label_layers(other, first.layers[0], names=names)
    if by_header == [True, False]:
        second = read_label_layers(other, names=names)
        return read_label_layers(one, second.layers[0], names=names), second
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
    """Read labels of which some may overlap: those of DICOM files and 3D Slicer; of other files as a single layer.

    Args:
        path: a label file.
        scan: on whose grid a DICOM file, or a cropped segmentation of 3D Slicer, is put.
        names: of such a file, names by label id of the structures to take.

    Raises:
        InputError: as :func:`ivos.io.read.read_labels`, but for overlap.
    """
    if holds_dicom_labels(path):
        return read_dicom_label_layers(path, scan, names=names)
    if not is_segmentation(path):
        return layers_of(read_labels(path))
    layers = read_segmentation_layers(path, names=names).layers
    if scan is not None:
        layers = tuple(uncropped(layer, scan.geometry, str(path)) for layer in layers)
    return LabelLayers(layers)


def _uncropped_pair(first: LabelLayers, second: LabelLayers, one: Path, other: Path) -> tuple[LabelLayers, LabelLayers]:
    """Both on one grid, where only the margins that a segmentation left out tell their grids apart."""
    count = len(first.layers)
    named = [str(one)] * count + [str(other)] * len(second.layers)
    placed = on_one_grid([*first.layers, *second.layers], named)
    return LabelLayers(tuple(placed[:count])), LabelLayers(tuple(placed[count:]))


def _joint(one: LabelLayers, other: LabelLayers) -> Volume:
    """An empty volume on the grid of the first that reaches as far as both."""
    wide = joint_grid(one.geometry, other.geometry)
    frame = one.layers[0].frame_of_reference
    return Volume.from_array(np.zeros(wide.shape, np.uint8), wide, frame_of_reference=frame)
