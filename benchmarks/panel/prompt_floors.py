"""Masks of prompts by methods that have learned nothing: what a network must beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from ivos.prompts.views import apply_strokes
from ivos.volume.boxes import bounding_box

if TYPE_CHECKING:
    from ivos.prompts.prompts import Strokes
    from ivos.types import BoolArray, FloatArray

_TOLERANCE = 0.06  # of a window: 24 HU of that for soft tissue
_MARGIN, _ROUNDS = 48, 3  # of GrabCut: pixels around the prompt; iterations


def region_growing(image: FloatArray, strokes: Strokes, mask: BoolArray) -> FloatArray:
    """The pixels of like intensity that hang together with the positive prompts, the mask or the middle of the box."""
    window = cv2.GaussianBlur(image[0], (0, 0), 1.0)
    seeds = strokes.positive | mask
    if not seeds.any() and strokes.box is not None:
        top, left, bottom, right = strokes.box
        seeds[(top + bottom) // 2, (left + right) // 2] = True
    if not seeds.any():
        return np.zeros(strokes.shape, np.float32)
    like = np.abs(window - np.median(window[seeds])) < _TOLERANCE
    if strokes.box is not None:
        like &= _within(strokes)
    return apply_strokes((like | mask).astype(np.float32), strokes, seeds)


def grab_cut(image: FloatArray, strokes: Strokes, mask: BoolArray) -> FloatArray:
    """GrabCut (Rother et al., 2004) about what is prompted, from the grown region, the mask or the box on."""
    grown = region_growing(image, strokes, mask) > 0.5
    trimap = np.where(grown, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    if strokes.box is not None:
        trimap[:] = np.where(_within(strokes), cv2.GC_PR_FGD, cv2.GC_BGD)
    trimap[strokes.negative], trimap[strokes.positive] = cv2.GC_BGD, cv2.GC_FGD
    place = bounding_box(np.isin(trimap, (cv2.GC_PR_FGD, cv2.GC_FGD)), margin=_MARGIN)
    answer = grown.astype(np.float32)
    if place is None:
        return answer
    part, seen = np.ascontiguousarray(trimap[place]), np.ascontiguousarray(np.moveaxis(image, 0, -1)[place] * 255)
    cv2.setRNGSeed(0)
    if np.isin(part, (cv2.GC_PR_BGD, cv2.GC_BGD)).any():
        empty = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(seen.astype(np.uint8), part, None, *empty, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    answer[place] = np.isin(part, (cv2.GC_PR_FGD, cv2.GC_FGD))
    return apply_strokes(answer, strokes, mask)


def _within(strokes: Strokes) -> BoolArray:
    inside = np.zeros(strokes.shape, bool)
    assert strokes.box is not None  # noqa: S101 - asked for where there is one
    top, left, bottom, right = strokes.box
    inside[top:bottom, left:right] = True
    return inside
