"""RT Structure Sets into label volumes: contours into the voxels whose centres they enclose."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ivos.errors import InputError
from ivos.io.dicom.contour_slices import common_axis, slice_contours
from ivos.io.dicom.contours import filled
from ivos.io.dicom.files import open_whole
from ivos.io.dicom.seg_read import check_frame_of_reference
from ivos.io.dicom.segments import Segment, SegmentSummary, label_ids
from ivos.io.label_canvas import LabelCanvas

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt
    from pydicom.dataset import Dataset

    from ivos.io.dicom.contour_slices import SlicedContours
    from ivos.types import Array, Axis
    from ivos.volume.geometry import Geometry
    from ivos.volume.label_layers import LabelLayers
    from ivos.volume.volume import Volume

_log = logging.getLogger(__name__)

_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_OPEN = ("OPEN_PLANAR", "OPEN_NONPLANAR")
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
    within another one is a hole; one that is given twice counts once. Points and open contours have no voxels and are
    passed over. A contour between the scan's slices or beyond them is left out, with a warning. A region's label id is
    the one of its structure in ``names``, where they are given, else its number.

    Args:
        path: of the file.
        scan: on whose slices the contours lie.
        structures: the label ids to take; by default all.
        names: names by label id, of the structures to take.

    Returns:
        The labels on the scan's grid.

    Raises:
        InputError: damaged, not in the scan's frame of reference, without a contour on any of its slices, or two
            regions overlap.

    References:
        DICOM PS3.3 A.19, C.8.8.5 and C.8.8.6: Structure Set and ROI Contour.
    """
    return _paint_regions(path, scan, structures, names, overlapping=False).finished()


def read_rtstruct_layers(path: Path, scan: Volume, *, names: Mapping[int, str] | None = None) -> LabelLayers:
    """As :func:`read_rtstruct`, but regions may overlap: they lie in layers then.

    Raises:
        InputError: as there, but for overlap.
    """
    return _paint_regions(path, scan, None, names, overlapping=True).finished_layers()


def summarise_rtstruct(path: Path) -> list[SegmentSummary]:
    """What regions a file has, with and without contours, in its order; no scan is needed.

    Raises:
        InputError: damaged.
    """
    regions = _open_rtstruct(path)
    ids = _ids(regions, None)
    return [
        SegmentSummary(ids[region.number], region.name, dict(region.kinds), len(region.planes)) for region in regions
    ]


def _paint_regions(
    path: Path,
    scan: Volume,
    structures: Collection[int] | None,
    names: Mapping[int, str] | None,
    *,
    overlapping: bool,
) -> LabelCanvas:
    regions = _open_rtstruct(path)
    ids = _ids(regions, names)
    if structures is not None:
        ids = {number: label for number, label in ids.items() if label in structures}
    wanted = [region for region in regions if region.number in ids]
    for region in wanted:
        check_frame_of_reference(path, region.frame, scan)
    axis = common_axis((points for region in wanted for points in region.contours), scan.geometry)
    sliced = [slice_contours(region.contours, scan.geometry, axis) for region in wanted]
    _warn_of_missed(path, wanted, sliced)
    called = {ids[region.number]: region.name for region in wanted}
    canvas = LabelCanvas(scan, called, path, overlapping=overlapping)
    for region, of_region in zip(wanted, sliced, strict=True):
        for (along, index), polygons in of_region.by_slice.items():
            _paint(canvas, ids[region.number], scan.geometry, along, index, polygons)
    return canvas


def _warn_of_missed(path: Path, regions: Sequence[_Region], sliced: Sequence[SlicedContours]) -> None:
    """Say which contours have no voxels.

    Raises:
        InputError: none has any: the scan must be another one.
    """
    missed = [(region, found) for region, found in zip(regions, sliced, strict=True) if found.missed]
    if missed and not any(found.by_slice for found in sliced):
        region, found = missed[0]
        how = "lies outside the scan" if found.beyond else "does not lie on a slice of the scan"
        raise InputError(
            f"{path}: a contour of '{region.name}' {how}, as all of the file's: {found.describe_missed()}; give the "
            "scan that it was drawn on"
        )
    if missed:
        told = "; ".join(f"'{region.name}': {found.describe_missed()}" for region, found in missed)
        _log.warning("%s: contours that lie on no slice of the scan are left out: %s", path, told)
    opened = [(region, n) for region in regions if (n := sum(region.kinds[kind] for kind in _OPEN))]
    if opened:
        told = ", ".join(f"'{region.name}' ({n})" for region, n in opened)
        _log.warning("%s: open contours enclose nothing and are passed over: %s", path, told)


@dataclass(frozen=True)
class _Region:
    """A region of interest with its closed contours, LPS points (N, 3) each.

    ``kinds`` has how many contours of each type it has in the file, and ``planes`` where they lie.
    """

    number: int
    name: str
    frame: str | None
    contours: list[npt.NDArray[np.float64]] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    @property
    def planes(self) -> set[tuple[float, ...]]:
        """The planes of the closed contours: the direction of the normal, and the distance along it to 0.1 mm."""
        found = set()
        for points in self.contours:
            centred = points - points.mean(axis=0)
            normal = np.cross(centred, np.roll(centred, -1, axis=0)).sum(axis=0)  # Newell's
            length = float(np.linalg.norm(normal))
            direction = np.round(normal / length if length else (0.0, 0.0, 1.0), 2)
            direction *= np.sign(direction[np.abs(direction).argmax()])
            found.add((*direction.tolist(), round(float(points.mean(axis=0) @ direction), 1)))
        return found


def _open_rtstruct(path: Path) -> list[_Region]:
    try:
        return _regions(open_whole(path))
    except Exception as error:  # values are parsed when they are first used: anything may be wrong with them
        raise InputError(f"{path}: not an RT Structure Set, or damaged; copy it again") from error


def _regions(data: Dataset) -> list[_Region]:
    regions = [
        _Region(
            number=int(item.ROINumber),
            name=str(item.get("ROIName") or f"region {item.ROINumber}").strip(),
            frame=str(item.get("ReferencedFrameOfReferenceUID") or "") or None,
        )
        for item in data.StructureSetROISequence
    ]
    by_number = {region.number: region for region in regions}
    for item in data.get("ROIContourSequence", []):
        region = by_number.get(int(item.ReferencedROINumber))
        if region is not None:
            region.contours.extend(_contours(item))
            region.kinds.update(str(c.get("ContourGeometricType")) for c in item.get("ContourSequence", []))
    return regions


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


def _paint(
    canvas: LabelCanvas, label: int, grid: Geometry, axis: Axis, index: int, polygons: list[npt.NDArray[np.float64]]
) -> None:
    """The polygons of one slice, worked out in the box that holds them."""
    rows, columns = (size for number, size in enumerate(grid.shape) if number != axis)
    lowest = np.clip(np.floor(np.min([p.min(axis=0) for p in polygons], axis=0)).astype(int), 0, (rows, columns))
    highest = np.clip(np.ceil(np.max([p.max(axis=0) for p in polygons], axis=0)).astype(int) + 1, 0, (rows, columns))
    mask: Array = filled([p - lowest for p in polygons], tuple(np.maximum(highest - lowest, 0)))
    across = iter(slice(int(low), int(low) + size) for low, size in zip(lowest, mask.shape, strict=True))
    z, y, x = (slice(index, index + 1) if number == axis else next(across) for number in range(3))
    canvas.paint((z, y, x), np.expand_dims(mask, axis), label)
