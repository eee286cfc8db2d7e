"""Masks into polygons and polygons into masks, both by the centres of pixels, so that one undoes the other.

Points are (row, column) in pixels; the centre of pixel [0, 0] is (0, 0).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Polygon = npt.NDArray[np.float64]


_TO_EDGE = (
    0.49  # of a pixel from its centre: not quite the edge, so that programs that round points to pixels stay inside
)
_SNAP = 0.01  # of a pixel: what files round away
_EXACT = 1e-9  # of a pixel: what arithmetic does


def outlines(mask: npt.NDArray[np.bool_]) -> list[Polygon]:
    """Polygons just within the edges of the pixels of a mask, one for each region.

    A hole is joined to the outline around it by a channel of no width, the "keyhole" that DICOM asks for where a
    region has holes: it is right for readers that combine contours and for those that do not. Where a channel would
    cut through another hole, holes are polygons of their own. Either way :func:`filled` gives back the mask.

    Args:
        mask: (H, W).

    Returns:
        Polygons (N, 2), closed from last point to first.
    """
    tripled = mask.astype(np.uint8).repeat(3, axis=0).repeat(3, axis=1)  # so that a pixel has sides and a middle
    found, hierarchy = cv2.findContours(tripled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if hierarchy is None:
        return []
    places = [points[:, 0, ::-1] for points in found]  # from (column, row)
    polygons = [place // 3 + (place % 3 - 1) * _TO_EDGE for place in places]
    parents = np.asarray(hierarchy).reshape(-1, 4)[:, 3]
    joined = {n: polygon for n, polygon in enumerate(polygons) if parents[n] < 0}
    for number, parent in enumerate(parents):
        if parent >= 0:
            joined[parent] = _keyhole(joined[parent], polygons[number])
    whole = list(joined.values())
    return whole if np.array_equal(filled(whole, mask.shape), mask) else polygons


def filled(polygons: Sequence[Polygon], shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The pixels whose centres lie within an odd number of polygons: a polygon within another one is a hole.

    A centre on the line itself is inside: many programs draw outlines, of holes too, through the centres of a mask's
    outermost pixels.

    Args:
        polygons: (N, 2) each, closed from last point to first.
        shape: (H, W) of the mask; what lies outside is cut off.
    """
    edges = _edges(polygons)
    height, width = shape
    crossings, on_line = np.zeros((height, width + 1), bool), np.zeros((height, width), bool)
    which, rows = _whole_numbers(edges[:, 0], edges[:, 2], height)
    y, x, next_y, next_x = edges[which].T
    sloping = next_y > y
    which, rows, y, x, next_y, next_x = (v[sloping] for v in (which, rows, y, x, next_y, next_x))
    columns = x + (rows - y) * (next_x - x) / (next_y - y)
    crossed = rows < next_y  # a corner on a row counts for one of its two edges
    places = np.clip(np.ceil(columns - _EXACT), 0, width).astype(int)
    np.logical_xor.at(crossings, (rows[crossed], places[crossed]), True)
    near = np.rint(columns).astype(int)
    centred = (np.abs(columns - near) < _EXACT) & (near >= 0) & (near < width)
    on_line[rows[centred], near[centred]] = True
    level = edges[(edges[:, 0] == edges[:, 2]) & (edges[:, 0] % 1 == 0) & (edges[:, 0] >= 0) & (edges[:, 0] < height)]
    which, columns = _whole_numbers(level[:, 1], level[:, 3], width)
    on_line[level[which, 0].astype(int), columns] = True
    inside: npt.NDArray[np.bool_] = np.logical_xor.accumulate(crossings, axis=1)[:, :-1] | on_line
    return inside


def _edges(polygons: Sequence[Polygon]) -> npt.NDArray[np.float64]:
    """Edges (y, x, next y, next x), the end with the lower row or column first."""
    points = [np.where(np.abs(p - np.rint(p)) < _SNAP, np.rint(p), p) for p in polygons]
    edges = np.concatenate([np.empty((0, 4)), *(np.hstack([p, np.roll(p, -1, axis=0)]) for p in points)])
    y, x, next_y, next_x = edges.T
    backward = (next_y < y) | ((next_y == y) & (next_x < x))
    edges[backward] = edges[backward][:, [2, 3, 0, 1]]
    return edges


def _whole_numbers(
    low: npt.NDArray[np.float64], high: npt.NDArray[np.float64], size: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The whole numbers from 0 to ``size`` - 1 in each of several intervals, both ends included.

    Returns:
        For each number its interval, and the number.
    """
    first = np.clip(np.ceil(low), 0, size).astype(np.intp)
    last = np.clip(np.floor(high) + 1, 0, size).astype(np.intp)
    counts = np.maximum(last - first, 0)
    which = np.repeat(np.arange(len(low)), counts)
    return which, np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts) + first[which]


def _keyhole(outer: Polygon, hole: Polygon) -> Polygon:
    """One polygon of an outline and a hole in it, joined where their corners are nearest."""
    distances = ((outer[:, None] - hole[None]) ** 2).sum(2)
    a, b = np.unravel_index(int(distances.argmin()), distances.shape)
    way_in = np.concatenate([hole[b:], hole[: b + 1]])
    return np.concatenate([outer[: a + 1], way_in, outer[a:]])
