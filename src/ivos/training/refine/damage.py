"""Random damage to propagated masks, as augmentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from scipy import ndimage

from ivos.nets.refine import NUMBERS, PLANES

if TYPE_CHECKING:
    from ivos.types import BoolArray, FloatArray

_CLOSE, _PROPAGATED = PLANES.index("close"), PLANES.index("propagated")
_PRESENT = NUMBERS.index("present")
_FROM_TRUTH = 0.15


def damage(
    planes: FloatArray, numbers: FloatArray, asked: BoolArray, truth: FloatArray, rng: np.random.Generator
) -> None:
    """Change the propagated masks of planes (Z, P, rows, columns) in place, on the slices that are asked for."""
    masks = (truth if rng.random() < _FROM_TRUTH else planes[:, _PROPAGATED]).copy()
    if rng.random() < 0.35:
        _overrun(masks, asked, rng)
    if rng.random() < 0.25:
        _leak(masks, planes[:, _CLOSE], rng)
    if rng.random() < 0.25:
        _grow_or_shrink(masks, rng)
    if rng.random() < 0.2:
        _cut_short(masks, numbers[:, _PRESENT] > 0, rng)
    if rng.random() < 0.15:
        _drift(masks, rng)
    planes[asked, _PROPAGATED] = np.clip(masks[asked], 0, 1)


def _overrun(masks: FloatArray, asked: BoolArray, rng: np.random.Generator) -> None:
    """The mask goes past one end, or both."""
    filled = np.flatnonzero((masks > 0.5).any(axis=(1, 2)))
    if not filled.size:
        return
    for end, step in ((int(filled[0]), -1), (int(filled[-1]), 1)):
        if rng.random() < 0.4:
            continue
        start = int(np.clip(end - step * rng.integers(0, 4), 0, len(masks) - 1))  # the last slice may show but a tip
        mask, rows, columns = masks[start].copy(), *masks.shape[1:]
        scale, (dx, dy), sure = float(rng.uniform(0.92, 1.05)), rng.normal(0, 0.7, 2), float(rng.uniform(0.6, 1))
        for further in range(1, int(rng.integers(2, 14))):
            place = start + step * further
            if not 0 <= place < len(masks) or not asked[place]:
                break
            zoom = scale**further
            middle = (columns / 2 * (1 - zoom) + dx * further, rows / 2 * (1 - zoom) + dy * further)
            matrix = np.array([[zoom, 0, middle[0]], [0, zoom, middle[1]]], np.float32)
            masks[place] = np.maximum(masks[place], sure * cv2.warpAffine(mask, matrix, (columns, rows)))


def _leak(masks: FloatArray, close: FloatArray, rng: np.random.Generator) -> None:
    """The mask spreads into what looks alike."""
    alike = np.abs(close - 0.5) < rng.uniform(0.08, 0.3)
    seed = masks > 0.5
    if rng.random() < 0.5:
        far = np.abs(np.arange(len(masks)) - rng.integers(len(masks))) > rng.integers(2, 8)
        seed[far] = False
    grown = ndimage.binary_dilation(seed, iterations=int(rng.integers(2, 10)), mask=alike)
    masks[grown] = np.maximum(masks[grown], np.float32(rng.uniform(0.55, 0.95)))


def _grow_or_shrink(masks: FloatArray, rng: np.random.Generator) -> None:
    side = 2 * int(rng.integers(1, 4)) + 1
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    change = cv2.dilate if rng.random() < 0.55 else cv2.erode
    for place, mask in enumerate(masks):
        masks[place] = change(mask, element)


def _cut_short(masks: FloatArray, annotated: BoolArray, rng: np.random.Generator) -> None:
    """The mask ends too early on one side of what is annotated."""
    known = np.flatnonzero(annotated)
    if not known.size:
        return
    if rng.random() < 0.5:
        masks[: int(rng.integers(0, known[0] + 1))] = 0
    else:
        masks[int(rng.integers(known[-1], len(masks))) + 1 :] = 0


def _drift(masks: FloatArray, rng: np.random.Generator) -> None:
    """The mask slides away, the further the more."""
    step, middle = rng.normal(0, 0.5, 2), int(rng.integers(len(masks)))
    size = masks.shape[:0:-1]
    for place, mask in enumerate(masks):
        dx, dy = step * (place - middle)
        masks[place] = cv2.warpAffine(mask, np.array([[1, 0, dx], [0, 1, dy]], np.float32), size)
