"""Pieces of a structure that lie far apart: each is looked at in an ROI view of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from ivos.propagation.fusion import aligned
from ivos.propagation.patch import Patch

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from ivos.types import BoolArray

MOST_PIECES = 4
"""How many views a structure may have at most: what it costs is bounded by this."""

_APART = 3.0  # pieces share a view while all of them span at most three times the larger one
_LEAST_PIXELS = 12  # a piece counts as no smaller than this: closer ones fit a view at the slice's own resolution
_COMPONENTS = 16  # that may found a piece, the largest ones; others belong to the nearest of these
_LIKELY = 0.5

Box = tuple[int, int, int, int]
"""First and last (excluded) row and column."""


def pieces_of(parts: Sequence[Patch | None], most: int = MOST_PIECES) -> list[tuple[Patch | None, ...]]:
    """A structure's pieces that lie far apart.

    Args:
        parts: what is held to be of it by one source or several: together they make the pieces.
        most: how many pieces at most; the nearest ones are taken together beyond that.

    Returns:
        For each piece what each of the parts holds of it; every pixel is in one piece.
    """
    corner, arrays = aligned(parts)
    if corner is None or most == 1:
        return [tuple(parts)]
    likely = np.maximum.reduce(arrays) > _LIKELY
    seen = likely.astype(np.uint8)
    if cv2.connectedComponents(seen, connectivity=8)[0] <= 2:  # background is one; a tenth of the time that boxes take
        return [tuple(parts)]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(seen, connectivity=8)
    largest = 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")[:_COMPONENTS]
    groups = _groups({int(number): _box(stats[number]) for number in largest}, most)
    if len(groups) == 1:
        return [tuple(parts)]
    of_component = np.zeros(count, np.intp)
    for number, group in enumerate(groups, start=1):
        of_component[group] = number
    places = _nearest(of_component[labels])
    return [
        tuple(None if part is None else _where(part, places == n, corner) for part in parts)
        for n in range(1, len(groups) + 1)
    ]


def _box(stats: npt.NDArray[np.int32]) -> Box:
    left, top, width, height = (int(value) for value in stats[:4])
    return top, top + height, left, left + width


def _groups(boxes: dict[int, Box], most: int) -> list[list[int]]:
    """Components that are looked at together: the nearest ones are joined until all others lie far apart."""
    groups, apart = [([number], box) for number, box in boxes.items()], False
    while len(groups) > 1:
        pairs = [(a, b) for a in range(len(groups)) for b in range(a)]
        a, b = min(pairs, key=lambda pair: _spread(groups[pair[0]][1], groups[pair[1]][1]))
        apart |= _spread(groups[a][1], groups[b][1]) > _APART
        if apart and len(groups) <= most:
            break
        (numbers, box), (others, other) = groups[a], groups[b]
        groups[b] = [*numbers, *others], _union(box, other)
        del groups[a]
    return [numbers for numbers, _ in groups]


def _spread(one: Box, other: Box) -> float:
    """How many times the larger one's extent both of them span."""
    return _extent(_union(one, other)) / max(_extent(one), _extent(other), _LEAST_PIXELS)


def _union(one: Box, other: Box) -> Box:
    return min(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), max(one[3], other[3])


def _extent(box: Box) -> int:
    return max(box[1] - box[0], box[3] - box[2])


def _nearest(numbers: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """For every pixel the number (H, W) of the nearest one that has a number above 0."""
    empty = (numbers == 0).astype(np.uint8)
    _, sources = cv2.distanceTransformWithLabels(empty, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    of_source = np.zeros(int(sources.max()) + 1, np.intp)
    of_source[sources[numbers > 0]] = numbers[numbers > 0]
    found: npt.NDArray[np.intp] = of_source[sources]
    return found


def _where(part: Patch, there: BoolArray, corner: tuple[int, int]) -> Patch | None:
    """A part in some places (h, w) of the rectangle whose first row and column are given."""
    rows, columns = (slice(p.start - c, p.stop - c) for p, c in zip(part.place, corner, strict=True))
    kept = Patch.of(np.where(there[rows, columns], part.values, np.float32(0)))
    return kept and Patch(part.top + kept.top, part.left + kept.left, kept.values)


def join(patches: Sequence[Patch | None]) -> Patch | None:
    """Several pieces as one structure: where they overlap the likeliest counts."""
    found = [patch for patch in patches if patch is not None]
    if len(found) < 2:
        return found[0] if found else None
    corner, arrays = aligned(found)
    assert corner is not None  # noqa: S101 - there are some
    return Patch(*corner, np.maximum.reduce(arrays))
