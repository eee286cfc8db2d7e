"""Simulated strokes, from the true mask and the current one.

References:
    Sofiiuk, Petrov, Konushin: Reviving Iterative Training with Mask Guidance for Interactive Segmentation, ICIP 2022
    (corrections where the last answer is most wrong).
    Sakinis et al.: Interactive segmentation of medical images through fully convolutional neural networks, 2019.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ivos.prompts.prompts import Strokes, click, scribble
from ivos.volume.boxes import bounding_box

if TYPE_CHECKING:
    from ivos.prompts.prompts import Box
    from ivos.types import BoolArray

_LEAST_ERROR = 4  # pixels: nobody corrects less
_LARGEST = 0.75  # share of corrections of the largest error
_CLICKS, _DEEPEST = 0.6, 0.7  # share of clicks among strokes; share of those at the deepest point
_BOX_JITTER = 0.08  # of its side
_BANDS = 6  # points of a long scribble


def deepest_pixel(region: BoolArray) -> tuple[int, int]:
    """The pixel of a region (H, W) that is farthest from what is outside it, slice's edge included."""
    padded = np.pad(region, 1).astype(np.uint8)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_5)[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(row), int(column)


def largest_error(truth: BoolArray, mask: BoolArray) -> tuple[BoolArray, bool] | None:
    """The largest piece of what is wrong, and whether it is missing; None where nobody would correct anything."""
    return _one_of(*_errors(truth, mask), None)


def correction(truth: BoolArray, mask: BoolArray, strokes: Strokes, rng: np.random.Generator) -> Strokes | None:
    """The strokes with one more where a mask is wrong; None where it is right.

    Args:
        truth: (H, W) what is meant.
        mask: (H, W) what is found.
        strokes: drawn so far.
        rng: draws which error, and what kind of stroke.
    """
    found = _one_of(*_errors(truth, mask), rng)
    if found is None:
        return None
    region, missing = found
    return strokes.with_stroke(stroke_in(region, rng), positive=missing)


def first_strokes(truth: BoolArray, rng: np.random.Generator) -> Strokes:
    """The first thing drawn of a structure (H, W): a click, a scribble or a box."""
    strokes = Strokes.none((truth.shape[0], truth.shape[1]))
    if rng.random() < 0.3:
        return Strokes(strokes.positive, strokes.negative, box_about(truth, rng))
    return strokes.with_stroke(stroke_in(truth, rng), positive=True)


def stroke_in(region: BoolArray, rng: np.random.Generator) -> BoolArray:
    """A click or a scribble (H, W) within a region that is not empty."""
    shape = (region.shape[0], region.shape[1])
    if rng.random() < _CLICKS:
        places = np.argwhere(region)
        row, column = deepest_pixel(region) if rng.random() < _DEEPEST else places[rng.integers(len(places))]
        drawn = click(shape, int(row), int(column), int(rng.integers(3)))
    else:
        drawn = scribble(shape, points_along(region, rng), int(rng.integers(1, 4)))
    return drawn & region


def box_about(truth: BoolArray, rng: np.random.Generator) -> Box:
    """A box that is drawn about a structure by hand."""
    box = bounding_box(truth)
    assert box is not None  # noqa: S101 - a structure is not empty
    ends = []
    for span, length in zip(box, truth.shape, strict=True):
        wide = max(_BOX_JITTER * (span.stop - span.start), 0.5)
        low, high = np.rint([span.start, span.stop] + rng.normal(0, wide, 2) + (-0.5 * wide, 0.5 * wide)).astype(int)
        low = min(max(0, low), length - 1)
        ends.append((int(low), int(min(max(low + 1, high), length))))
    (top, bottom), (left, right) = ends
    return top, left, bottom, right


def points_along(region: BoolArray, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Points within a region, from one end of a part of its long axis to the other, off its middle at random."""
    places = np.argwhere(region)
    centred = places - places.mean(0)
    axis = np.linalg.svd(centred.T @ centred)[0][:, 0] if len(places) > 2 else np.array([1.0, 0.0])
    position = centred @ axis
    low, high = np.sort(rng.uniform(0, 1, 2))
    edges = np.quantile(position, np.linspace(low, high, _BANDS + 1))
    points = []
    for first, last in pairwise(edges):
        band = places[(position >= first) & (position <= last)]
        if len(band):
            aim = band.mean(0) + rng.normal(0, 0.2) * band.std(0)
            row, column = band[np.square(band - aim).sum(1).argmin()]
            points.append((int(row), int(column)))
    return points


def _errors(truth: BoolArray, mask: BoolArray) -> tuple[list[BoolArray], list[bool]]:
    """Pieces of what is missing and of what is too much, and whether each is missing."""
    pieces, missing = [], []
    for wrong, is_missing in ((truth & ~mask, True), (mask & ~truth, False)):
        _, numbered, stats, _ = cv2.connectedComponentsWithStats(wrong.astype(np.uint8), connectivity=4)
        for number in np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= _LEAST_ERROR) + 1:
            pieces.append(numbered == number)
            missing.append(is_missing)
    return pieces, missing


def _one_of(
    pieces: list[BoolArray], missing: list[bool], rng: np.random.Generator | None
) -> tuple[BoolArray, bool] | None:
    if not pieces:
        return None
    areas = np.array([piece.sum() for piece in pieces], float)
    chosen = int(areas.argmax())
    if rng is not None and rng.random() > _LARGEST:
        chosen = int(rng.choice(len(pieces), p=areas / areas.sum()))
    return pieces[chosen], missing[chosen]
