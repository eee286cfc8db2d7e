"""Views of a slice with strokes: where to look, the network's input, and its prediction pasted into the slice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from ivos.propagation.patch import Patch
from ivos.propagation.roi import View, light_on, view_of

if TYPE_CHECKING:
    from ivos.prompts.prompts import Strokes
    from ivos.types import BoolArray, FloatArray

VIEW_PIXELS = 128
_WIDE = 0.5  # of a slice's longer side: what is seen about strokes, which do not tell how far a structure reaches
_AROUND = 2.5  # times the strokes' own extent, where that is more
_CLOSER = 2.0  # times
_CLOSEST = 4.5  # pixels of the view to one of the slice
_TOUCHED = 0.1  # of a pixel of the view
_DIFFERENCES = np.geomspace(0.02, 0.3, 8)  # of intensities 0..1, that a way to a place may go through
_DRAWN_SHARES = (0.1, 0.5, 0.9)  # of the pixels drawn on: what is drawn may be of several tissues
_NEAR = 8.0  # pixels of the view: nearness to strokes falls to 1/e


def first_view(strokes: Strokes, mask: BoolArray) -> View | None:
    """Where to look first: at the mask, the box and the positive strokes; None where there is nothing of them.

    Strokes alone are seen with much around them.
    """
    parts = [Patch.of(mask), _box_of(strokes), Patch.of(strokes.positive)]
    view = view_of(parts, VIEW_PIXELS)
    if view is None or mask.any() or strokes.box is not None:
        return view
    extent = max(parts[2].values.shape) if parts[2] is not None else 0
    side = max(_WIDE * max(strokes.shape), _AROUND * extent)
    return View(view.x, view.y, min(VIEW_PIXELS / side, _CLOSEST))


def next_view(answer: FloatArray, strokes: Strokes, before: View) -> View:
    """The view that frames an answer; the one before, if that does it well enough.

    A closer one has to be much closer: an answer may be too small, and then little of the structure is left in it.
    """
    view = view_of([Patch.of(answer), Patch.of(strokes.positive)], VIEW_PIXELS, before)
    if view is None or before.zoom <= view.zoom < _CLOSER * before.zoom:
        return before
    return view


def network_input(image: FloatArray, strokes: Strokes, mask: BoolArray, view: View) -> FloatArray:
    """What the network is shown in a view: (10, S, S) in the order of :data:`ivos.nets.strokes.EVIDENCE`.

    Args:
        image: (3, H, W) windows in [0, 1].
        strokes: on it.
        mask: (H, W) what is there already.
        view: where to look.
    """
    hint = _hint(strokes, mask)
    light = light_on(image, hint, view, VIEW_PIXELS)
    windows = [view.cut(window, VIEW_PIXELS) for window in image]
    stretched, box = light.stretched(windows[light.channel]), _box_of(strokes)
    return np.stack(
        [
            *windows,
            stretched,
            light.close(windows[light.channel]),
            view.cut(mask.astype(np.float32), VIEW_PIXELS),
            _nearness(strokes.positive, view),
            _nearness(strokes.negative, view),
            view.cut_patch(box, VIEW_PIXELS),
            _connectedness(stretched, view.cut_patch(hint, VIEW_PIXELS) > _TOUCHED, max(view.zoom, 1.0)),
        ]
    )


def apply_prediction(seen: FloatArray, view: View, strokes: Strokes, mask: BoolArray) -> FloatArray:
    """The network's answer (S, S) in the slice: probabilities (H, W).

    What it leaves as it was stays so to the pixel; strokes are obeyed; pieces without a stroke, a box or a mask in them
    are left out.
    """
    before = mask.astype(np.float32)
    answer = before.copy()
    change = view.paste(seen - view.cut(before, VIEW_PIXELS), strokes.shape)
    if change is not None:
        answer[change.place] += change.values
    answer = np.clip(answer, 0, 1)
    return apply_strokes(answer, strokes, mask)


def apply_strokes(answer: FloatArray, strokes: Strokes, mask: BoolArray) -> FloatArray:
    """Probabilities (H, W) with the strokes put in, without pieces that nothing drawn and no mask speaks for."""
    answer = answer.copy()
    answer[strokes.negative] = 0
    answer[strokes.positive] = 1
    wanted = strokes.positive | mask
    if strokes.box is not None:
        top, left, bottom, right = strokes.box
        wanted[top:bottom, left:right] = True
    found = answer > 0.5
    count, pieces = cv2.connectedComponents(found.astype(np.uint8), connectivity=8)
    kept = np.zeros(count, bool)
    kept[pieces[wanted & found]] = True
    answer[found & ~kept[pieces]] = 0
    return answer


def _hint(strokes: Strokes, mask: BoolArray) -> Patch:
    """Pixels that are likely of the structure: strokes and mask, or the middle of the box."""
    likely = (strokes.positive | mask) & ~strokes.negative
    hint = Patch.of(likely)
    if hint is not None:
        return hint
    if strokes.box is None:
        return Patch(0, 0, np.zeros((1, 1), np.float32))
    top, left, bottom, right = strokes.box
    height, width = bottom - top, right - left
    middle = np.ones((max(1, height // 2), max(1, width // 2)), np.float32)
    return Patch(top + height // 4, left + width // 4, middle)


def _box_of(strokes: Strokes) -> Patch | None:
    if strokes.box is None:
        return None
    top, left, bottom, right = strokes.box
    return Patch(top, left, np.ones((bottom - top, right - left), np.float32))


def _nearness(drawn: BoolArray, view: View) -> FloatArray:
    """1 on strokes, falling with the distance from them: (S, S)."""
    pixels = drawn.astype(np.float32)
    if view.zoom < 1:  # so that a stroke of one pixel is not stepped over
        pixels = np.asarray(cv2.dilate(pixels, np.ones((3, 3), np.uint8)), np.float32)
    there = view.cut(pixels, VIEW_PIXELS) > _TOUCHED
    if not there.any():
        return np.zeros((VIEW_PIXELS, VIEW_PIXELS), np.float32)
    distance = cv2.distanceTransform((~there).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return np.asarray(np.exp(-distance / _NEAR), np.float32)


def _connectedness(stretched: FloatArray, drawn: BoolArray, blur: float) -> FloatArray:
    """How little the intensities on the best way from what is drawn to a place differ from it: (S, S), 0..1.

    References:
        Udupa, Samarasekera: Fuzzy connectedness and object definition, Graphical Models and Image Processing 1996.
    """
    held = np.zeros_like(stretched)
    if not drawn.any():
        return held
    smooth = cv2.GaussianBlur(stretched, (0, 0), blur)
    different = np.min([np.abs(smooth - value) for value in np.quantile(smooth[drawn], _DRAWN_SHARES)], axis=0)
    for most in _DIFFERENCES:
        like = (different < most) | drawn
        count, pieces = cv2.connectedComponents(like.astype(np.uint8), connectivity=4)
        reached = np.zeros(count, bool)
        reached[pieces[drawn]] = True
        held += reached[pieces] & like
    return np.asarray(held / len(_DIFFERENCES), np.float32)
