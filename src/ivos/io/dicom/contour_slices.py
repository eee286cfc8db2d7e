"""Contours on the slices of a scan: which slice each lies on, and which lie on none."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ivos.types import Axis

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from ivos.volume.geometry import Geometry

    Floats = npt.NDArray[np.float64]

_PLANE_TOLERANCE = 0.2  # of a slice: how far a contour may lie from the slice that it is of
_SAME = 0.05  # of a pixel: how far the corners of a contour that is given twice may be apart
_SHOWN = 3  # positions in a message


@dataclass
class SlicedContours:
    """The contours of a region of interest by slice.

    Attributes:
        by_slice: by array axis and index of the slice the polygons on it, (row, column) in pixels (N, 2).
        between: where contours lie that are on no slice, but among them: ``"z 10.5 mm"``.
        beyond: where contours lie that are above or below all slices.
    """

    by_slice: dict[tuple[Axis, int], list[Floats]] = field(default_factory=lambda: defaultdict(list))
    between: list[str] = field(default_factory=list)
    beyond: list[str] = field(default_factory=list)

    @property
    def missed(self) -> int:
        """How many contours are on no slice."""
        return len(self.between) + len(self.beyond)

    def describe_missed(self) -> str:
        """Where those lie, in words."""
        parts = [("between slices", self.between), ("beyond the scan", self.beyond)]
        return ", ".join(f"{len(places)} {what} ({_listed(places)})" for what, places in parts if places)


def common_axis(contours: Iterable[Floats], grid: Geometry) -> Axis | None:
    """The array axis along which the slices lie that contours were drawn on; None where there are no contours.

    A contour alone does not tell it where it is tiny or a line.

    Args:
        contours: LPS points (N, 3) each.
        grid: of the scan.
    """
    extents = np.array([np.ptp(grid.indices_at(points), axis=0) for points in contours])
    return Axis(int((extents <= 2 * _PLANE_TOLERANCE).sum(axis=0).argmax())) if len(extents) else None


def slice_contours(contours: Iterable[Floats], grid: Geometry, axis: Axis | None = None) -> SlicedContours:
    """Find the slice of each contour; one that is given twice counts once.

    Args:
        contours: closed contours of one region, LPS points (N, 3) each.
        grid: of the scan.
        axis: along which the slices lie that most contours of the file are on, see :func:`common_axis`.
    """
    found = SlicedContours()
    for points in contours:
        places = grid.indices_at(points)
        along = Axis(int(np.ptp(places, axis=0).argmin()))
        if axis is not None and np.ptp(places[:, axis]) <= 2 * _PLANE_TOLERANCE:
            along = axis
        index = round(float(places[:, along].mean()))
        if not 0 <= index < grid.shape[along]:
            found.beyond.append(_position(points, grid, along))
        elif np.abs(places[:, along] - index).max() > _PLANE_TOLERANCE:
            found.between.append(_position(points, grid, along))
        else:
            polygon = np.delete(places, along, axis=1)
            if not any(_same(polygon, other) for other in found.by_slice[along, index]):
                found.by_slice[along, index].append(polygon)
    return found


def _same(one: Floats, other: Floats) -> bool:
    """Whether two polygons have the same corners in the same order, from whichever corner and in either direction."""
    one, other = _corners(one), _corners(other)
    if len(one) != len(other) or np.abs(one.min(axis=0) - other.min(axis=0)).max() > _SAME:
        return False
    for start in np.flatnonzero(np.abs(other - one[0]).max(axis=1) <= _SAME):
        forward = np.roll(other, -start, axis=0)
        backward = np.roll(forward[::-1], 1, axis=0)
        if any(np.abs(one - turned).max() <= _SAME for turned in (forward, backward)):
            return True
    return False


def _corners(polygon: Floats) -> Floats:
    """A polygon without points that repeat the one before, the closing one among them."""
    moved = np.abs(polygon - np.roll(polygon, 1, axis=0)).max(axis=1) > _SAME
    return polygon[moved] if moved.any() else polygon[:1]


def _position(points: Floats, grid: Geometry, axis: Axis) -> str:
    """Where a contour lies in the patient, along the direction that is nearest to the slices' normal."""
    direction = int(np.abs(grid.axes[axis]).argmax())
    return f"{'xyz'[direction]} {points[:, direction].mean():.4g} mm"


def _listed(places: Sequence[str]) -> str:
    return ", ".join(places[:_SHOWN]) + ", ..." * (len(places) > _SHOWN)
