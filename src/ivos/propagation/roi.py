"""Looking closely at one structure: where to look, at what scale, and in which light."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ivos.propagation.patch import Patch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ivos.types import FloatArray

_WANTED, _LEAST, _MOST = 0.40, 0.24, 0.62  # a structure's extent as a share of the view's side
_ZOOM = (0.15, 4.5)
_BINS = 32
_DEVIATIONS, _LEAST_SPREAD = 4.0, 0.01  # what close contrast shows, to each side; of intensities 0..1


@dataclass(frozen=True)
class View:
    """A square part of a slice: pixels (x, y) about a centre, magnified by a factor."""

    x: float
    y: float
    zoom: float

    def cut(self, image: FloatArray, size: int) -> FloatArray:
        """What the view shows of a slice (H, W): (size, size), 0 beyond the slice."""
        (top, bottom), (left, right) = self._span(size, image.shape)
        part = image[top:bottom, left:right]
        if not part.size:
            return np.zeros((size, size), np.float32)
        fold = max(1, int(1 / self.zoom))  # shrinking: average, so that what is finer than a pixel does not flicker
        if fold > 1:
            part = _folded(part, fold)
        matrix = self._matrix(size, left, top, fold)
        return np.asarray(cv2.warpAffine(part, matrix, (size, size), flags=cv2.INTER_LINEAR), np.float32)

    def cut_patch(self, patch: Patch | None, size: int) -> FloatArray:
        """What the view shows of a structure: (size, size)."""
        if patch is None:
            return np.zeros((size, size), np.float32)
        return View(self.x - patch.left, self.y - patch.top, self.zoom).cut(patch.values, size)

    def paste(self, seen: FloatArray, shape: tuple[int, int]) -> Patch | None:
        """The view's content (size, size) in a slice of that shape; None where it lies outside."""
        (top, bottom), (left, right) = self._span(len(seen), shape)
        if bottom <= top or right <= left:
            return None
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        matrix = self._matrix(len(seen), left, top)
        return Patch(top, left, np.asarray(cv2.warpAffine(seen, matrix, (right - left, bottom - top), flags=flags)))

    def _span(self, size: int, shape: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int]]:
        """First and last (excluded) row and column that the view reaches."""
        reach = size / (2 * self.zoom) + 1
        return _within(self.y, reach, shape[0]), _within(self.x, reach, shape[1])

    def _matrix(self, size: int, left: int, top: int, fold: int = 1) -> FloatArray:
        """From pixels of a part of the slice, ``fold`` of them averaged into one, to those of the view."""
        middle, zoom = size / 2 - 0.5, self.zoom * fold
        x, y = ((centre + 0.5) / fold - 0.5 for centre in (self.x - left, self.y - top))
        return np.array([[zoom, 0, middle - zoom * x], [0, zoom, middle - zoom * y]], np.float32)


def _within(centre: float, reach: float, length: int) -> tuple[int, int]:
    first, last = int(np.floor(centre - reach)), int(np.ceil(centre + reach)) + 1
    return min(max(first, 0), length), min(max(last, 0), length)


def _folded(part: FloatArray, fold: int) -> FloatArray:
    height, width = (-(-n // fold) * fold for n in part.shape)
    padded = np.zeros((height, width), np.float32)
    padded[: part.shape[0], : part.shape[1]] = part
    return np.asarray(cv2.resize(padded, (width // fold, height // fold), interpolation=cv2.INTER_AREA), np.float32)


def view_of(parts: Iterable[Patch | None], size: int, before: View | None = None) -> View | None:
    """The view that centres a structure.

    Args:
        parts: what is held to be of it, in one patch or several.
        size: of the view in pixels.
        before: the last view: its magnification is kept as long as the structure fits it.

    Returns:
        None where nothing of the structure reaches 0.5.
    """
    boxes = [box for part in parts if part is not None and (box := part.likely()) is not None]
    if not boxes:
        return None
    top, bottom = min(b[0] for b in boxes), max(b[1] for b in boxes)
    left, right = min(b[2] for b in boxes), max(b[3] for b in boxes)
    extent = max(bottom - top, right - left)
    zoom = _WANTED * size / extent if before is None else before.zoom
    zoom = float(np.clip(np.clip(zoom, _LEAST * size / extent, _MOST * size / extent), *_ZOOM))
    return View((left + right - 1) / 2, (top + bottom - 1) / 2, zoom)


@dataclass(frozen=True)
class Light:
    """How a structure is told from what is around it by intensity alone, learned from a drawn slice.

    Attributes:
        channel: the window in which it stands out most.
        low: intensity that becomes 0.
        high: intensity that becomes 1.
        ratio: (bins,) log of how much likelier an intensity is inside than outside, about -2..2.
        middle: the structure's median intensity.
        spread: standard deviation of its intensities, outliers left out.
    """

    channel: int
    low: float
    high: float
    ratio: FloatArray
    middle: float
    spread: float

    def stretched(self, image: FloatArray) -> FloatArray:
        """An image (H, W) of that channel with the view's contrast brought to 0..1."""
        return np.asarray(np.clip((image - self.low) / (self.high - self.low), 0, 1), np.float32)

    def close(self, image: FloatArray) -> FloatArray:
        """The same with the structure's own contrast brought to 0..1: what differs little from it stands out too."""
        return np.asarray(np.clip((image - self.middle) / (2 * _DEVIATIONS * self.spread) + 0.5, 0, 1), np.float32)

    def likelihood(self, stretched: FloatArray) -> FloatArray:
        """For every pixel of a stretched image, the log-likelihood ratio of inside against outside."""
        return np.asarray(np.interp(stretched * (_BINS - 1), np.arange(_BINS), self.ratio), np.float32)


def light_on(image: FloatArray, mask: Patch, view: View, size: int) -> Light:
    """How to see a structure that is drawn on a slice.

    Args:
        image: (C, H, W) windows in [0, 1].
        mask: the structure.
        view: the view that shows it with its surroundings.
        size: of the view.
    """
    inside = view.cut_patch(mask, size) > 0.5
    if not inside.any():
        inside[size // 2, size // 2] = True
    best: tuple[float, Light] | None = None
    for channel, window in enumerate(image):
        seen = view.cut(window, size)
        low, high = (float(v) for v in np.percentile(seen, (1, 99)))
        light = Light(channel, low, max(high, low + 1e-2), np.zeros(_BINS, np.float32), *_middle(seen[inside]))
        stretched = light.stretched(seen)
        own, other = _histogram(stretched[inside]), _histogram(stretched[~inside])
        apart = float(np.abs(own - other).sum())
        if best is None or apart > best[0] + 1e-6:
            ratio = np.log((own + 0.003) / (other + 0.003)) / 3
            best = (apart, replace(light, ratio=ratio.astype(np.float32)))
    assert best is not None  # noqa: S101 - a slice has at least one window
    return best[1]


def _middle(values: FloatArray) -> tuple[float, float]:
    """Median and standard deviation of most of the values."""
    middle = float(np.median(values))
    return middle, max(1.48 * float(np.median(np.abs(values - middle))), _LEAST_SPREAD)


def _histogram(values: FloatArray) -> FloatArray:
    """Shares of intensities in [0, 1], smoothed a little."""
    counts, _ = np.histogram(values, bins=_BINS, range=(-0.5 / (_BINS - 1), 1 + 0.5 / (_BINS - 1)))
    smooth = np.convolve(counts, (0.06, 0.24, 0.4, 0.24, 0.06), mode="same")
    return np.asarray(smooth / max(smooth.sum(), 1e-6), np.float32)
