"""How far a structure may come from one slice to the next: a mask does not leap to where nothing led.

What led to a place is the structure on the slice before, what the pass from the other side has of it, and where flow
carries it. Nothing of an answer stays that is farther from these than three times as far as the structure advanced
in the step before. Flow alone leads no more than a quarter of the mask that far, since it goes astray.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from ivos.propagation.patch import Patch
    from ivos.types import BoolArray, FloatArray

TIMES = 3.0
"""How many times as far as in the step before a structure may come."""


_SHARE_BY_FLOW = 0.25
_LEAST_PIXELS = 2.0  # of the slice: so far a border may come that has not moved
_ROUNDING_PIXELS = 2.0  # of the slice: what views and interpolation may put a border off, three times of it in a step
_LIKELY = 0.5


def _first_step_pixels(mask: Patch | None) -> float:
    """What counts as the step before at an annotated slice, where there is none: the mask may then come one radius far.

    The radius is that of a disc of its area.
    """
    return 0.0 if mask is None else float(np.sqrt(mask.area / np.pi)) / TIMES


def reach_of(mask: Patch | None, step: float | None) -> float:
    """How far a structure may come, in pixels of the slice, so that no mask is farther than it should be by rounding.

    Args:
        mask: the structure on the slice before.
        step: how far it advanced in the step before; None where that slice is annotated.
    """
    last = _first_step_pixels(mask) if step is None else step
    return max(TIMES * last - _ROUNDING_PIXELS, _LEAST_PIXELS)


def within_reach(answer: FloatArray, before: BoolArray, carried: BoolArray, reach: float) -> FloatArray:
    """What of an answer (S, S) lies within reach.

    Args:
        answer: probabilities.
        before: (S, S) where the structure was, or the other pass has it; nothing is taken away if it is nowhere.
        carried: where flow carries it.
        reach: how far it may come, in pixels of the arrays.
    """
    if not before.any():
        return answer
    near = _distance_to(before) <= reach
    kept = np.where(_distance_to(before | carried) <= reach, answer, np.float32(0))
    likely = kept > _LIKELY
    if np.count_nonzero(likely & ~near) > _SHARE_BY_FLOW * np.count_nonzero(likely):
        return np.where(near, answer, np.float32(0))
    return kept


def advance(before: BoolArray, after: BoolArray) -> float:
    """How far the farthest place of a mask lies from everything that the one before had; 0 where one is empty.

    A mask that only shrinks does not advance: what dies out must not lead far.
    """
    return float(_distance_to(before)[after].max()) if before.any() and after.any() else 0.0


def _distance_to(mask: BoolArray) -> FloatArray:
    """Pixels from each place to the nearest one of a mask."""
    return np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5), np.float32)
