"""RT Structure Sets into label volumes: contours into the voxels whose centres they enclose."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ivos.errors import InputError
from ivos.volume.contours import filled
from ivos.volume.dicom_files import open_whole
from ivos.volume.dicom_seg_read import check_frame_of_reference
from ivos.volume.dicom_segments import Segment, label_ids
from ivos.volume.label_canvas import LabelCanvas

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    import numpy.typing as npt
    from pydicom.dataset import Dataset

    from ivos.volume.geometry import Geometry
    from ivos.volume.volume import Array, Volume

_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_PLANE_TOLERANCE = 0.2  # of a slice: how far a contour may lie from the slice that it is of
_HIGHEST_LABEL = 65_535


def read_rtstruct(
    path: Path,
    scan: Volume,
    *,
    structures: Collection[int] | None = None,
    names: Mapping[int, str] | None = None,
) -> Volume:
    """Read the closed contours of an RT Structure Set.

    A voxel is in a region where its centre lies within an odd number of the region's contours on its slice: a contour
    within another one is a hole. Points and open contours have no voxels and are passed over. A region's label id is
    the one of its structure in ``names``, where they are given, else its number.

    Args:
        path: of the file.
        scan: on whose slices the contours lie.
        structures: the label ids to take; by default all.
        names: names by label id, of the structures to take.

    Returns:
        The labels on the scan's grid.

    Raises:
        InputError: damaged, not in the scan's frame of reference or not on its slices, or two regions overlap.

    References:
        DICOM PS3.3 A.19, C.8.8.5 and C.8.8.6: Structure Set and ROI Contour.
    """
    try:
        data = open_whole(path)
        regions = _regions(data)
    except Exception as error:  # values are parsed when they are first used: anything may be wrong with them
        raise InputError(f"{path}: not an RT Structure Set, or damaged; copy it again") from error
    ids = _ids(regions, names)
    if structures is not None:
        ids = {number: label for number, label in ids.items() if label in structures}
    wanted = [region for region in regions if region.number in ids]
    canvas = LabelCanvas(scan, {ids[region.number]: region.name for region in wanted}, path)
    for region in wanted:
        check_frame_of_reference(path, region.frame, scan)
        for (axis, index), polygons in _by_slice(path, region, scan.geometry).items():
            _paint(canvas, ids[region.number], scan.geometry, axis, index, polygons)
    return canvas.finished()


@dataclass(frozen=True)
class _Region:
    """A region of interest with its closed contours, LPS points (N, 3) each."""

    number: int
    name: str
    frame: str | None
    contours: list[npt.NDArray[np.float64]]


def _regions(data: Dataset) -> list[_Region]:
    contours = {int(item.ReferencedROINumber): _contours(item) for item in data.get("ROIContourSequence", [])}
    return [
        _Region(
            number=int(item.ROINumber),
            name=str(item.get("ROIName") or f"region {item.ROINumber}").strip(),
            frame=str(item.get("ReferencedFrameOfReferenceUID") or "") or None,
            contours=contours.get(int(item.ROINumber), []),
        )
        for item in data.StructureSetROISequence
    ]


def _contours(item: Dataset) -> list[npt.NDArray[np.float64]]:
    closed = [c for c in item.get("ContourSequence", []) if str(c.get("ContourGeometricType")) in _CLOSED]
    return [points for points in map(_points, closed) if len(points) > 2]


def _points(contour: Dataset) -> npt.NDArray[np.float64]:
    """The points as they stand in the file: as objects of pydicom, a number each, they would take minutes."""
    element = contour.get_item("ContourData")
    if element is None or not element.value:
        return np.empty((0, 3))
    value = element.value
    numbers = value.decode("ascii").strip("\0 ").split("\\") if isinstance(value, bytes) else value
    points = np.array(numbers, dtype=float).reshape(-1, 3)
    if not np.isfinite(points).all():
        raise ValueError("a point is not a number")
    return points


def _ids(regions: list[_Region], names: Mapping[int, str] | None) -> dict[int, int]:
    """Numbers of regions to label ids; the order where the numbers cannot be label ids."""
    segments = [Segment(region.number, region.name, None, None, None) for region in regions]
    ids = label_ids(segments, names)
    if names is None and not all(1 <= label <= _HIGHEST_LABEL for label in ids.values()):
        return {number: place for place, number in enumerate(ids, start=1)}
    return ids


def _by_slice(path: Path, region: _Region, grid: Geometry) -> dict[tuple[int, int], list[npt.NDArray[np.float64]]]:
    """Contours as polygons in pixels, by array axis and index of the slice that they lie on.

    Raises:
        InputError: a contour lies between slices, or on none.
    """
    found = defaultdict(list)
    for points in region.contours:
        places = grid.indices_at(points)
        axis = int(np.ptp(places, axis=0).argmin())
        index = round(float(places[:, axis].mean()))
        if np.abs(places[:, axis] - index).max() > _PLANE_TOLERANCE:
            raise InputError(
                f"{path}: a contour of '{region.name}' does not lie on a slice of the scan; give the scan that it was "
                "drawn on"
            )
        if not 0 <= index < grid.shape[axis]:
            raise InputError(
                f"{path}: a contour of '{region.name}' lies outside the scan; give the scan that it was drawn on"
            )
        found[axis, index].append(np.delete(places, axis, axis=1))
    return found


def _paint(
    canvas: LabelCanvas, label: int, grid: Geometry, axis: int, index: int, polygons: list[npt.NDArray[np.float64]]
) -> None:
    """The polygons of one slice, worked out in the box that holds them."""
    rows, columns = (size for number, size in enumerate(grid.shape) if number != axis)
    lowest = np.clip(np.floor(np.min([p.min(axis=0) for p in polygons], axis=0)).astype(int), 0, (rows, columns))
    highest = np.clip(np.ceil(np.max([p.max(axis=0) for p in polygons], axis=0)).astype(int) + 1, 0, (rows, columns))
    mask: Array = filled([p - lowest for p in polygons], tuple(np.maximum(highest - lowest, 0)))
    across = iter(slice(int(low), int(low) + size) for low, size in zip(lowest, mask.shape, strict=True))
    z, y, x = (slice(index, index + 1) if number == axis else next(across) for number in range(3))
    canvas.paint((z, y, x), np.expand_dims(mask, axis), label)
