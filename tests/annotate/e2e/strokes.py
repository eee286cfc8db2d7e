"""Where a hand goes that draws a mask: along its contour, and then inside of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Path = list[tuple[float, float]]
    """Points (row, column) of a slice, where the middle of its first pixel is (0.5, 0.5)."""


def contour(mask: npt.NDArray[np.bool_]) -> Path:
    """Once around the largest part of a mask (H, W)."""
    return max(_contours(mask), key=len)


def brush_strokes(mask: npt.NDArray[np.bool_], radius: float) -> Iterator[Path]:
    """Rings from the edge of a mask (H, W) inwards that fill it with a brush of that radius in pixels."""
    inside = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    depth = radius + 0.01  # from there the brush does not reach beyond the edge
    while (inside >= depth).any():
        yield from _contours(inside >= depth)
        depth += 1.5 * radius


def _contours(mask: npt.NDArray[np.bool_]) -> list[Path]:
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    smooth = [cv2.approxPolyDP(points, 0.5, closed=True)[:, 0] for points in found]
    return [[(y + 0.5, x + 0.5) for x, y in [*points, points[0]]] for points in smooth]
