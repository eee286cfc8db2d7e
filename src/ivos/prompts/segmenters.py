"""Networks that convert strokes to masks: the bundled small one and the published one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from ivos.device import check_not_forked, pick_device
from ivos.errors import InputError
from ivos.nets.checkpoints import BUNDLED_STROKES, load_scribble, load_strokes, read_weights
from ivos.nets.loaded import LOADED
from ivos.prompts.views import apply_prediction, apply_strokes, first_view, network_input, next_view
from ivos.propagation.engines.protocol import Slice
from ivos.propagation.engines.working_grid import WorkingGrid
from ivos.propagation.masks import Masks

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.device import DeviceChoice
    from ivos.nets.scribble import ScribbleNet
    from ivos.nets.strokes import StrokesNet
    from ivos.prompts.prompts import Strokes, StrokeSegmenter
    from ivos.types import BoolArray, FloatArray

_MAX_VIEWS = 3  # at most, at one stroke
_FRAME = 3  # pixels: width of the stroke that a box stands for
_OF_PUBLISHED = "backbone.conv1.weight"  # a weight that our network has not


def stroke_segmenter(weights: Path | None = None, *, device: DeviceChoice = "auto") -> StrokeSegmenter:
    """What makes masks of scribbles, clicks and boxes, ready to use; its network is loaded once a process.

    Args:
        weights: of our small network or of the published one; the bundled ones by default.
        device: where it runs.

    Raises:
        InputError: the weights are unreadable or of neither network; the device is not there.
    """
    chosen = pick_device(device)

    def made() -> StrokeSegmenter:
        if weights is not None and _OF_PUBLISHED in read_weights(weights):
            return ScribbleSegmenter(load_scribble(weights), chosen)
        return SmallStrokeSegmenter(load_strokes(weights), chosen)

    return LOADED.get("strokes", weights or BUNDLED_STROKES, chosen, made)


class SmallStrokeSegmenter:
    """Our small network: it looks at what is drawn with much around it, then at what it found, as closely as that fits.

    A :class:`~ivos.prompts.prompts.StrokeSegmenter`. Strokes are obeyed to the pixel; what the network leaves as it
    was stays so to the pixel.

    Args:
        network: ready for inference.
        device: to compute on.

    References:
        Sofiiuk, Petrov, Konushin: Reviving Iterative Training with Mask Guidance for Interactive Segmentation, ICIP
        2022 (previous mask and strokes as inputs; learned from its own corrected answers).
    """

    def __init__(self, network: StrokesNet, device: torch.device) -> None:
        self._network = network.to(device).to(memory_format=torch.channels_last)
        self._device = device

    def __call__(self, image: FloatArray, strokes: Strokes, mask: BoolArray) -> FloatArray:
        """See :class:`~ivos.prompts.prompts.StrokeSegmenter`.

        Raises:
            InputError: image, strokes and mask are not of one slice, or the image is not finite.
        """
        check_not_forked()
        _check_same_slice(image, strokes, mask)
        answer, view = mask.astype(np.float32), first_view(strokes, mask)
        if view is None or strokes.empty:
            return apply_strokes(answer, strokes, mask)
        for _ in range(_MAX_VIEWS):
            answer = apply_prediction(self._predict(network_input(image, strokes, mask, view)), view, strokes, mask)
            following = next_view(answer, strokes, view)
            if following is view:
                break
            view = following
        return answer

    @torch.inference_mode()
    def _predict(self, shown: FloatArray) -> FloatArray:
        """The network's probabilities (S, S) for what it is shown (9, S, S)."""
        batch = torch.from_numpy(shown)[None].to(self._device, memory_format=torch.channels_last)
        return np.asarray(self._network(batch).sigmoid()[0, 0].cpu().numpy(), np.float32)


class ScribbleSegmenter:
    """The published scribble-to-mask network, over the whole slice.

    A :class:`~ivos.prompts.prompts.StrokeSegmenter`. The network knows no boxes: a box stands for a stroke over its
    middle and one around it.

    Args:
        network: ready for inference.
        device: to compute on.
        working_size: slices are scaled so that their longer side has this many pixels; None for no scaling.

    References:
        Cheng, Tai, Tang: Modular Interactive Video Object Segmentation, CVPR 2021.
    """

    def __init__(self, network: ScribbleNet, device: torch.device, *, working_size: int | None = 512) -> None:
        self._network = network.to(device)
        self._grid = WorkingGrid(working_size, device, torch.float32)

    @torch.inference_mode()
    def __call__(self, image: FloatArray, strokes: Strokes, mask: BoolArray) -> FloatArray:
        """See :class:`~ivos.prompts.prompts.StrokeSegmenter`.

        Raises:
            InputError: image, strokes and mask are not of one slice, or the image is not finite.
        """
        check_not_forked()
        _check_same_slice(image, strokes, mask)
        if strokes.empty:
            return mask.astype(np.float32)
        windows = self._grid.image(Slice(0, image, (1.0, 1.0), ahead=image))
        drawn = self._grid.masks(Masks.of(np.stack([mask, *_as_scribbles(strokes)]).astype(np.float32)))
        hard = torch.cat([drawn[:1] > 0.5, drawn[1:] > 0]).float()  # as it was trained; a thin line stays whole
        seen = self._network(torch.cat([windows, hard[None]], 1)).sigmoid()
        return apply_strokes(self._grid.restored(seen[0], strokes.shape)[0], strokes, mask)


def _as_scribbles(strokes: Strokes) -> tuple[BoolArray, BoolArray]:
    """Positive and negative strokes (H, W), what the box says among them."""
    if strokes.box is None:
        return strokes.positive, strokes.negative
    top, left, bottom, right = strokes.box
    height, width = bottom - top, right - left
    middle, inside = np.zeros(strokes.shape, bool), np.zeros(strokes.shape, bool)
    middle[top + 3 * height // 8 : bottom - 3 * height // 8, left + 3 * width // 8 : right - 3 * width // 8] = True
    inside[top:bottom, left:right] = True
    frame = cv2.dilate(inside.astype(np.uint8), np.ones((2 * _FRAME + 1, 2 * _FRAME + 1), np.uint8)) > 0
    positive = strokes.positive | (middle & ~strokes.negative)
    return positive, (strokes.negative | (frame & ~inside)) & ~positive


def _check_same_slice(image: FloatArray, strokes: Strokes, mask: BoolArray) -> None:
    if image.shape[1:] != strokes.shape or mask.shape != strokes.shape:
        raise InputError(
            f"strokes of a slice of {strokes.shape}, on an image of {image.shape[1:]} and a mask of {mask.shape}: "
            "all three must be of the same slice"
        )
    if not np.isfinite(image).all():
        raise InputError("the image of a slice has pixels that are NaN or infinite; replace them first")
