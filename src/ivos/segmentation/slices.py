"""Slices as reference networks take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from ivos.types import FloatArray


def at_size(image: FloatArray, size: int) -> FloatArray:
    """A slice (C, H, W) whose longer side has ``size`` pixels, averaged where it gets smaller."""
    height, width = image.shape[1:]
    scale = size / max(height, width)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.stack([cv2.resize(plane, inner, interpolation=method) for plane in image])


def relative_position(index: int, count: int) -> float:
    """A slice's place in its scan: 0 for the first, 1 for the last."""
    return index / max(count - 1, 1)


def with_neighbours(windows: Callable[[int], FloatArray], index: int, count: int, neighbours: int) -> FloatArray:
    """A slice's windows, and behind them those of its neighbours from near to far.

    Args:
        windows: gives a slice's windows (3, H, W) by its number.
        index: of the slice.
        count: of slices in the scan; beyond its ends the last one is seen again.
        neighbours: on each side.

    Returns:
        (3 (2 neighbours + 1), H, W).
    """
    beside = [index + sign * away for away in range(1, neighbours + 1) for sign in (-1, 1)]
    return np.concatenate([windows(index), *(windows(min(max(number, 0), count - 1)) for number in beside)])
