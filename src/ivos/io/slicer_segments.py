"""Segmentations as 3D Slicer saves them in NRRD: names in the header, and layers where segments may overlap."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ivos.errors import InputError
from ivos.files import suffix_of
from ivos.io.label_canvas import LabelCanvas
from ivos.io.nrrd import NRRD_SUFFIXES, read_layers
from ivos.io.nrrd_header import read_nrrd_header
from ivos.io.voxel_stream import quote_text
from ivos.volume.checks import checked_labels
from ivos.volume.label_layers import LabelLayers, layers_of
from ivos.volume.labels import canonical_name
from ivos.volume.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from ivos.io.nrrd_header import NrrdHeader
    from ivos.types import Array
    from ivos.volume.geometry import Geometry

_log = logging.getLogger(__name__)

_ENTRY = re.compile(r"Segment([0-9]{1,9})_(ID|Name|LabelValue|Layer)")


@dataclass(frozen=True)
class LayerSegment:
    """A segment as the header describes it.

    Attributes:
        number: its number in the file, from 0.
        name: its name; empty where it has none.
        layer: the volume that it is in, from 0.
        value: of its voxels there.
    """

    number: int
    name: str
    layer: int
    value: int


def is_segmentation(path: Path) -> bool:
    """Whether a file is NRRD and describes segments.

    Raises:
        InputError: an NRRD file that is damaged.
    """
    if suffix_of(path) not in NRRD_SUFFIXES or not path.is_file():
        return False
    return bool(_segments(read_nrrd_header(path)))


def segment_names(path: Path) -> dict[int, str]:
    """Label ids to names of the segments that an NRRD file describes; empty for any other file.

    Raises:
        InputError: an NRRD file that is damaged.
    """
    if suffix_of(path) not in NRRD_SUFFIXES:
        return {}
    segments = _segments(read_nrrd_header(path))
    ids = _label_ids(segments, None)
    return {ids[segment.number]: segment.name for segment in segments if segment.name and ids[segment.number] > 0}


def read_segmentation(
    path: Path,
    *,
    structures: Collection[int] | None = None,
    names: Mapping[int, str] | None = None,
) -> Volume:
    """Read a segmentation; the layers of one whose segments may overlap, into one label volume.

    The label ids of a single layer are its values. Of several layers, a segment's id is the one of its structure in
    ``names``, where they are given; else its value, if no other segment has the same; else its number in the file,
    from 1.

    Args:
        path: of a file for which :func:`is_segmentation` holds.
        structures: of several layers, the label ids to take; by default all.
        names: of several layers, names by label id of the structures to take.

    Returns:
        The labels, cropped as the file may be: even to one slice, which gets an empty one beside it.

    Raises:
        InputError: damaged, or segments overlap.
    """
    header = read_nrrd_header(path)
    layers, grid = _with_two_slices(*read_layers(header, thin=True))
    if len(layers) == 1:
        return _single_layer(header, layers[0], grid)
    return replace(_paint_segments(header, layers, grid, structures, names, overlapping=False).finished(), cropped=True)


def read_segmentation_layers(path: Path, *, names: Mapping[int, str] | None = None) -> LabelLayers:
    """As :func:`read_segmentation`, but segments may overlap: they lie in layers then.

    Raises:
        InputError: as there, but for overlap.
    """
    header = read_nrrd_header(path)
    layers, grid = _with_two_slices(*read_layers(header, thin=True))
    if len(layers) == 1:
        return layers_of(_single_layer(header, layers[0], grid))
    painted = _paint_segments(header, layers, grid, None, names, overlapping=True).finished_layers()
    return LabelLayers(tuple(replace(layer, cropped=True) for layer in painted.layers))


def _single_layer(header: NrrdHeader, voxels: Array, grid: Geometry) -> Volume:
    volume = Volume.from_array(voxels, grid, names=segment_names(header.path), what=str(header.path))
    return replace(checked_labels(volume, str(header.path)), cropped=True)


def _paint_segments(
    header: NrrdHeader,
    layers: Array,
    grid: Geometry,
    structures: Collection[int] | None,
    names: Mapping[int, str] | None,
    *,
    overlapping: bool,
) -> LabelCanvas:
    segments = _segments(header)
    _check_values(header.path, segments, layers)
    ids = _label_ids(segments, names)
    wanted = [s for s in segments if s.number in ids and (structures is None or ids[s.number] in structures)]
    called = {ids[segment.number]: segment.name for segment in wanted}
    empty = Volume.from_array(np.zeros(grid.shape, np.uint8), grid)
    canvas = LabelCanvas(empty, called, header.path, overlapping=overlapping)
    for segment in wanted:
        mask = Volume.from_array(layers[segment.layer] == segment.value, grid).array
        canvas.paint((slice(None), slice(None), slice(None)), mask, ids[segment.number])
    return canvas


def _with_two_slices(layers: Array, grid: Geometry) -> tuple[Array, Geometry]:
    """Layers (layer, Z, Y, X) with background after an axis along which there is one voxel."""
    missing = [int(n == 1) for n in grid.shape]
    if not any(missing):
        return layers, grid
    z, y, x = (n + more for n, more in zip(grid.shape, missing, strict=True))
    return np.pad(layers, [(0, more) for more in (0, *missing)]), replace(grid, shape=(z, y, x))


def _segments(header: NrrdHeader) -> list[LayerSegment]:
    entries: dict[int, dict[str, str]] = {}
    for key, value in header.keys.items():
        if found := _ENTRY.fullmatch(key):
            entries.setdefault(int(found[1]), {})[found[2]] = value.strip()
    return [_segment(header, number, entry) for number, entry in sorted(entries.items())]


def _segment(header: NrrdHeader, number: int, entry: Mapping[str, str]) -> LayerSegment:
    """Versions of 3D Slicer before 4.11 gave each segment a layer of its own, and said neither layer nor value."""
    early = "Layer" not in entry and "LabelValue" not in entry
    try:
        layer, value = int(entry.get("Layer", number if early else 0)), int(entry.get("LabelValue", 1))
    except ValueError as error:
        raise InputError(
            f"{header.path}: layer and label value of segment {number} are no numbers; it is damaged"
        ) from error
    return LayerSegment(number, entry.get("Name", ""), layer, value)


def _label_ids(segments: list[LayerSegment], names: Mapping[int, str] | None) -> dict[int, int]:
    """Segment numbers to label ids."""
    if names is not None:
        wanted = {canonical_name(name): label for label, name in names.items()}
        found = {segment.number: wanted.get(canonical_name(segment.name)) for segment in segments}
        return {number: label for number, label in found.items() if label is not None}
    layers, values = ({getattr(segment, what) for segment in segments} for what in ("layer", "value"))
    if len(layers) <= 1 or (len(values) == len(segments) and min(values) > 0):
        return {segment.number: segment.value for segment in segments}
    return {segment.number: place for place, segment in enumerate(segments, start=1)}


def _check_values(path: Path, segments: list[LayerSegment], layers: Array) -> None:
    """Refuse layers that are not there; say which voxels belong to no segment."""
    for segment in segments:
        if not 0 <= segment.layer < len(layers):
            named = quote_text(segment.name or str(segment.number))
            raise InputError(
                f"{path}: segment '{named}' is to be in layer {segment.layer}, and the last is {len(layers) - 1}; its "
                "header is damaged"
            )
    for number, layer in enumerate(layers):
        known = {segment.value for segment in segments if segment.layer == number}
        others = sorted({int(v) for v in np.unique(layer)} - known - {0})
        if others:
            values = ", ".join(map(str, others[:5]))
            _log.warning("%s: voxels of value %s in layer %d belong to no segment; left out", path, values, number)
