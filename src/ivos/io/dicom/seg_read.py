"""DICOM Segmentation objects into label volumes, frame by frame, each where its header says."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.pixels.utils import iter_pixels

from ivos.errors import InputError
from ivos.io.dicom.files import open_whole
from ivos.io.dicom.grid import ROUNDING_LIMIT_MM, same_direction
from ivos.io.dicom.segments import SegmentSummary, label_ids, segments_of
from ivos.io.label_canvas import LabelCanvas
from ivos.volume.geometry import Geometry, difference, reorientation
from ivos.volume.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from pydicom.dataset import Dataset

    from ivos.types import Array
    from ivos.volume.geometry import Shape
    from ivos.volume.label_layers import LabelLayers

_STEP_TOLERANCE = 0.05  # as a share of the slice spacing


class NoGridError(InputError):
    """A file alone does not say on which grid its frames lie."""


def read_dicom_seg(
    path: Path,
    scan: Volume | None = None,
    *,
    structures: Collection[int] | None = None,
    names: Mapping[int, str] | None = None,
) -> Volume:
    """Read a DICOM Segmentation, binary, fractional or a label map, of any orientation.

    A segment's label id is the one of its structure in ``names``, where they are given; else the one that
    :func:`ivos.io.dicom.seg_write.write_dicom_seg` has noted; else its number. A voxel is in a segment of a fractional
    one where more than half of it is.

    Args:
        path: of the file.
        scan: whose slices it lies on; without it the labels come on the smallest grid that holds all frames.
        structures: the label ids to take; by default all.
        names: names by label id, of the structures to take.

    Returns:
        The labels, on the scan's grid if it is given.

    Raises:
        InputError: damaged, not in the scan's frame of reference or not on its slices, two segments overlap, or no
            grid can be told from the file alone.

    References:
        DICOM PS3.3 A.51 and C.8.20: Segmentation; C.7.6.16: multi-frame functional groups.
    """
    return _paint_segments(path, scan, structures, names, overlapping=False).finished()


def read_dicom_seg_layers(
    path: Path, scan: Volume | None = None, *, names: Mapping[int, str] | None = None
) -> LabelLayers:
    """As :func:`read_dicom_seg`, but segments may overlap: they lie in layers then.

    Raises:
        InputError: as there, but for overlap.
    """
    return _paint_segments(path, scan, None, names, overlapping=True).finished_layers()


def summarise_dicom_seg(path: Path) -> list[SegmentSummary]:
    """What segments a file has, in its order, as far as its header says; their voxels are not looked at.

    Raises:
        InputError: damaged.
    """
    data = _open_seg(path)
    try:
        frames, segments = _frames(data), segments_of(data)
    except Exception as error:  # values are parsed when they are first used: anything may be wrong with them
        raise InputError(f"{path}: not a DICOM Segmentation with frames in space, or damaged") from error
    ids, places = label_ids(segments, None), defaultdict(list)
    for frame in frames:
        places[frame.segment].append(frame.grid.origin_mm)
    return [
        SegmentSummary(ids[s.number], s.name, {"frames": len(places[s.number])}, len(set(places[s.number])))
        for s in segments
    ]


def _paint_segments(
    path: Path,
    scan: Volume | None,
    structures: Collection[int] | None,
    names: Mapping[int, str] | None,
    *,
    overlapping: bool,
) -> LabelCanvas:
    data = _open_seg(path)
    try:
        frames, segments = _frames(data), segments_of(data)
        kind = str(data.SegmentationType)
        half = int(data.get("MaximumFractionalValue") or 1) / 2
    except Exception as error:  # values are parsed when they are first used: anything may be wrong with them
        raise InputError(f"{path}: not a DICOM Segmentation with frames in space, or damaged") from error
    frame_of_reference = str(data.get("FrameOfReferenceUID") or "") or None
    check_frame_of_reference(path, frame_of_reference, scan)
    grid = scan if scan is not None else _own_grid(path, frames, frame_of_reference)
    ids = label_ids(segments, names)
    if structures is not None:
        ids = {number: label for number, label in ids.items() if label in structures}
    called = {ids[segment.number]: segment.name for segment in segments if segment.number in ids}
    canvas = LabelCanvas(grid, called, path, overlapping=overlapping)
    places = _Places(path, grid.geometry)
    for frame, pixels in zip(frames, _pixels(path, data), strict=True):
        for number in [frame.segment] if kind != "LABELMAP" else [int(n) for n in np.unique(pixels) if n]:
            if number in ids:
                mask = pixels == number if kind == "LABELMAP" else pixels > half
                canvas.paint(*places.of(frame.grid, mask), ids[number])
    return canvas


def check_frame_of_reference(path: Path, found: str | None, scan: Volume | None) -> None:
    """Refuse what was drawn in the coordinate system of another scan.

    Args:
        path: of the file, for the message.
        found: the UID of the frame of reference that the file names.
        scan: the scan; one that did not come as DICOM says nothing of its frame of reference.

    Raises:
        InputError: scan and file name different frames of reference.
    """
    if scan is not None and scan.frame_of_reference and found and found != scan.frame_of_reference:
        raise InputError(f"{path}: drawn in the frame of reference of another scan; give the scan that it was drawn on")


@dataclass(frozen=True)
class _Frame:
    """One picture: its segment, and its grid of one slice; 0 where pixels say which segment they are of."""

    segment: int
    grid: Geometry


def _open_seg(path: Path) -> Dataset:
    try:
        return open_whole(path)
    except Exception as error:  # a damaged header makes pydicom raise nearly anything
        raise InputError(f"{path}: damaged DICOM file; copy it again") from error


def _frames(data: Dataset) -> list[_Frame]:
    shared = data.SharedFunctionalGroupsSequence[0]
    shape: Shape = (1, int(data.Rows), int(data.Columns))
    return [_frame(shared, own, shape) for own in data.PerFrameFunctionalGroupsSequence]


def _frame(shared: Dataset, own: Dataset, shape: Shape) -> _Frame:
    def group(name: str) -> Any:
        return (own if name in own else shared)[name].value[0]

    directions = np.asarray(group("PlaneOrientationSequence").ImageOrientationPatient, float)
    row, column = directions[:3], directions[3:]
    measures = group("PixelMeasuresSequence")
    apart = float(measures.get("SpacingBetweenSlices") or 0)
    x, y, z = (float(v) for v in group("PlanePositionSequence").ImagePositionPatient)
    down, across = (float(v) for v in measures.PixelSpacing)
    axes = [(float(a[0]), float(a[1]), float(a[2])) for a in (np.cross(row, column), column, row)]
    number = 0
    if any("SegmentIdentificationSequence" in groups for groups in (own, shared)):
        number = int(group("SegmentIdentificationSequence").ReferencedSegmentNumber)
    return _Frame(number, Geometry(shape, (apart, down, across), (x, y, z), (axes[0], axes[1], axes[2])))


def _pixels(path: Path, data: Dataset) -> Iterator[Array]:
    try:
        yield from iter_pixels(data)
    except Exception as error:  # decoders raise nearly anything on damaged pixel data
        raise InputError(f"{path}: its frames cannot be read: truncated, or compressed in an unusual way") from error


def _own_grid(path: Path, frames: list[_Frame], frame_of_reference: str | None) -> Volume:
    """The smallest grid that holds all frames."""
    first = frames[0].grid
    if not all(same_direction(*pair) for frame in frames for pair in zip(frame.grid.axes, first.axes, strict=True)):
        raise NoGridError(f"{path}: its frames lie in several orientations; give the scan that it was drawn on")
    normal = np.asarray(first.axes[0])
    along = np.array([np.asarray(frame.grid.origin_mm) @ normal for frame in frames])
    steps = np.diff(np.unique(np.round(along, 2)))
    if not steps.size:
        raise NoGridError(f"{path}: lies on one slice; give the scan that it was drawn on")
    fitting = [s for s in (first.spacing_mm[0], float(steps.min())) if s > 0 and _even(steps / s)]
    if not fitting:
        raise NoGridError(f"{path}: its slices are unevenly spaced; give the scan that it was drawn on")
    step = fitting[0]
    lowest = frames[int(along.argmin())].grid
    shape = (round(float(np.ptp(along)) / step) + 1, *first.shape[1:])
    grid = replace(lowest, shape=shape, spacing_mm=(step, *first.spacing_mm[1:]))
    return Volume.from_array(np.zeros(shape, np.uint8), grid, frame_of_reference=frame_of_reference)


def _even(steps: Array) -> bool:
    """Whether steps are whole numbers of slices."""
    return bool(np.abs(steps - np.rint(steps)).max() <= _STEP_TOLERANCE)


class _Places:
    """Where pictures lie on a grid; many segments share the place of a slice."""

    def __init__(self, path: Path, target: Geometry) -> None:
        self._path, self._target = path, target
        self._known: dict[Geometry, tuple[Any, tuple[int, ...]]] = {}

    def of(self, picture: Geometry, mask: Array) -> tuple[tuple[slice, slice, slice], Array]:
        """The part of the grid that a mask (rows, columns) on a picture covers, and the mask as that part has it."""
        if picture not in self._known:
            self._known[picture] = self._place(picture)
        change, corner = self._known[picture]
        turned = change.array(mask[None])
        inside = [slice(max(0, -c), max(0, size - c)) for c, size in zip(corner, self._target.shape, strict=True)]
        kept = turned[tuple(inside)]
        if np.count_nonzero(kept) < np.count_nonzero(turned):
            raise InputError(f"{self._path}: lies partly outside the scan; give the scan that it was drawn on")
        z, y, x = (slice(max(0, c), max(0, c) + size) for c, size in zip(corner, kept.shape, strict=True))
        return (z, y, x), kept

    def _place(self, picture: Geometry) -> tuple[Any, tuple[int, ...]]:
        """How a picture is turned onto the grid, and the index of its first pixel there, which may be outside."""
        target = self._target
        change = reorientation(picture, target.axes)
        thickness = target.spacing_mm[change.order.index(0)]
        turned = change.geometry(replace(picture, spacing_mm=(thickness, *picture.spacing_mm[1:])))
        corner = np.rint(target.indices_at([turned.origin_mm])[0])
        x, y, z = target.points_mm([corner])[0]
        expected = replace(target, shape=turned.shape, origin_mm=(float(x), float(y), float(z)))
        differs = difference(expected, turned, rounding_mm=ROUNDING_LIMIT_MM)
        if differs:
            raise InputError(
                f"{self._path}: does not lie on the scan's slices: {differs}; give the scan that it was drawn on"
            )
        return change, tuple(int(c) for c in corner)
