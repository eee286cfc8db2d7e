"""Looking closely at one structure: where to look, at what scale, and in which light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ivos.volume.box import bounding_box

if TYPE_CHECKING:
    from ivos.propagation.engines.protocol import FloatArray

_WANTED, _LEAST, _MOST = 0.40, 0.24, 0.62  # a structure's extent as a share of the view's side
_ZOOM = (0.15, 4.5)
_BINS = 32


@dataclass(frozen=True)
class View:
    """A square part of a slice: pixels (x, y) about a centre, magnified by a factor."""

    x: float
    y: float
    zoom: float

    def _matrix(self, size: int) -> FloatArray:
        middle = size / 2 - 0.5
        return np.array(
            [[self.zoom, 0, middle - self.zoom * self.x], [0, self.zoom, middle - self.zoom * self.y]], np.float32
        )

    def cut(self, image: FloatArray, size: int) -> FloatArray:
        """What the view shows of a slice (H, W): (size, size), 0 beyond the slice."""
        if self.zoom < 0.9:  # shrinking: keep what is finer than a pixel from flickering
            image = cv2.GaussianBlur(image, (0, 0), 0.45 / self.zoom).astype(np.float32)
        return np.asarray(cv2.warpAffine(image, self._matrix(size), (size, size), flags=cv2.INTER_LINEAR), np.float32)

    def paste(self, seen: FloatArray, shape: tuple[int, int]) -> FloatArray:
        """The view's content (size, size) back in a slice (H, W), 0 around it."""
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        height, width = shape
        return np.asarray(cv2.warpAffine(seen, self._matrix(len(seen)), (width, height), flags=flags), np.float32)


def view_of(mask: FloatArray, size: int, before: View | None = None) -> View | None:
    """The view that centres a structure.

    Args:
        mask: its probabilities (H, W).
        size: of the view in pixels.
        before: the last view: its magnification is kept as long as the structure fits it.

    Returns:
        None where nothing of the structure reaches 0.5.
    """
    box = bounding_box(mask > 0.5)
    if box is None:
        return None
    rows, columns = box
    extent = max(rows.stop - rows.start, columns.stop - columns.start)
    zoom = _WANTED * size / extent if before is None else before.zoom
    zoom = float(np.clip(np.clip(zoom, _LEAST * size / extent, _MOST * size / extent), *_ZOOM))
    return View((columns.start + columns.stop - 1) / 2, (rows.start + rows.stop - 1) / 2, zoom)


@dataclass(frozen=True)
class Light:
    """How a structure is told from what is around it by intensity alone, learned from a drawn slice.

    Attributes:
        channel: the window in which it stands out most.
        low: intensity that becomes 0.
        high: intensity that becomes 1.
        ratio: (bins,) log of how much likelier an intensity is inside than outside, about -2..2.
    """

    channel: int
    low: float
    high: float
    ratio: FloatArray

    def stretched(self, image: FloatArray) -> FloatArray:
        """An image (H, W) of that channel with the structure's contrast brought to 0..1."""
        return np.asarray(np.clip((image - self.low) / (self.high - self.low), 0, 1), np.float32)

    def likelihood(self, stretched: FloatArray) -> FloatArray:
        """For every pixel of a stretched image, the log-likelihood ratio of inside against outside."""
        return np.asarray(np.interp(stretched * (_BINS - 1), np.arange(_BINS), self.ratio), np.float32)


def light_on(image: FloatArray, mask: FloatArray, view: View, size: int) -> Light:
    """How to see a structure that is drawn on a slice.

    Args:
        image: (C, H, W) windows in [0, 1].
        mask: (H, W) the structure.
        view: the view that shows it with its surroundings.
        size: of the view.
    """
    inside = view.cut(mask, size) > 0.5
    if not inside.any():
        inside[size // 2, size // 2] = True
    best: tuple[float, Light] | None = None
    for channel, window in enumerate(image):
        seen = view.cut(window, size)
        low, high = (float(v) for v in np.percentile(seen, (1, 99)))
        light = Light(channel, low, max(high, low + 1e-2), np.zeros(_BINS, np.float32))
        stretched = light.stretched(seen)
        own, other = _histogram(stretched[inside]), _histogram(stretched[~inside])
        apart = float(np.abs(own - other).sum())
        if best is None or apart > best[0] + 1e-6:
            ratio = np.log((own + 0.003) / (other + 0.003)) / 3
            best = (apart, Light(channel, light.low, light.high, ratio.astype(np.float32)))
    assert best is not None  # noqa: S101 - a slice has at least one window
    return best[1]


def _histogram(values: FloatArray) -> FloatArray:
    """Shares of intensities in [0, 1], smoothed a little."""
    counts, _ = np.histogram(values, bins=_BINS, range=(-0.5 / (_BINS - 1), 1 + 0.5 / (_BINS - 1)))
    smooth = np.convolve(counts, (0.06, 0.24, 0.4, 0.24, 0.06), mode="same")
    return np.asarray(smooth / max(smooth.sum(), 1e-6), np.float32)
