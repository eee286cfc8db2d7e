"""Regions of a slice that nobody has labelled: something to follow through an unlabelled scan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from ivos.types import FloatArray

_LEAST_SHARE, _LARGEST_SHARE = 0.002, 0.2  # of the slice
_HALF_WIDTHS = (0.04, 0.15)  # of the band of intensities that a region takes in
_TRIES = 20


def random_regions(image: FloatArray, count: int, rng: np.random.Generator) -> npt.NDArray[np.int16]:
    """Connected regions of nearly the same intensity, each grown from a random pixel.

    Args:
        image: (C, H, W) in [0, 1]; the regions are those of a random channel.
        count: how many at most.
        rng: draws.

    Returns:
        (H, W): 0, and 1 to ``count`` for the regions.
    """
    plane = cv2.medianBlur(np.rint(255 * image[rng.integers(len(image))]).astype(np.uint8), 5)
    height, width = plane.shape
    labels = np.zeros((height, width), np.int16)
    found = 0
    for _ in range(_TRIES * count):
        row, column = (int(rng.integers(length)) for length in (height, width))
        if found == count:
            break
        if labels[row, column] or plane[row, column] == 0:
            continue
        band = 255 * rng.uniform(*_HALF_WIDTHS)
        mask = np.zeros((height + 2, width + 2), np.uint8)
        flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE
        cv2.floodFill(plane, mask, (column, row), 0, band, band, flags)
        region = (mask[1:-1, 1:-1] > 0) & (labels == 0)
        if _LEAST_SHARE <= region.mean() <= _LARGEST_SHARE:
            found += 1
            labels[region] = found
    return labels
