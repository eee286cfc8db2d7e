"""Difference-aware fusion: a network says of old and new masks which is right where, given what a person changed.

References:
    Cheng, Tai, Tang: Modular Interactive Video Object Segmentation: Interaction-to-Mask, Propagation and
    Difference-Aware Fusion, CVPR 2021.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ivos.device import check_not_forked, pick_device
from ivos.nets.checkpoints import BUNDLED_FUSION, load_fusion
from ivos.nets.fusion import FusionInputs
from ivos.nets.loaded import LOADED
from ivos.propagation.engines.working_grid import normalised
from ivos.propagation.fusion import aligned
from ivos.propagation.masks import Masks
from ivos.propagation.patch import Patch
from ivos.propagation.roi import View, view_of
from ivos.propagation.tracking import VIEW_PIXELS

if TYPE_CHECKING:
    from torch import Tensor

    from ivos.nets.fusion import FusionNet
    from ivos.propagation.corrections.correct import Step
    from ivos.types import FloatArray

_MARGIN_PIXELS = 8  # around the masks: more than the published network sees of a pixel's surroundings
_LEAST_DIFFERENCE = 0.5  # nothing is decided anew where old and new do not differ by this much anywhere


def difference_aware() -> DifferenceAware:
    """The rule with the bundled network, loaded once a process, on the best device that is there."""
    device = pick_device("auto")
    return LOADED.get("fusion", BUNDLED_FUSION, device, lambda: DifferenceAware(load_fusion().to(device)))


@dataclass(frozen=True)
class Window:
    """Where a structure is looked at: a view and its side in pixels."""

    view: View
    pixels: int


class DifferenceAware:
    """Merges as the network says, pixel by pixel between the old and the new mask.

    So nothing changes where the two agree, and a structure in which nothing was corrected stays as it was. Where no
    annotated slice follows the new mask counts alone, as in the published method: what was there came from further
    away on the same side.

    Args:
        network: the published one, which sees slices at their own resolution, or ours, which sees structures in views.
    """

    def __init__(self, network: FusionNet) -> None:
        self._network = network.eval()
        self._device = next(network.parameters()).device

    @torch.inference_mode()
    def __call__(self, step: Step) -> Masks:
        """See :data:`ivos.propagation.corrections.correct.Merge`."""
        check_not_forked()
        patches = [_without_asking(step, k) for k in range(len(step.old.patches))]
        asked = {k: window for k in open_structures(step) if (window := self._window(step, k)) is not None}
        for k, window in asked.items():
            seen = torch.from_numpy(planes(step, k, window))[None].to(self._device)
            given = to_fuse(seen, torch.from_numpy(shares(step, k))[None].to(self._device))
            fused = self._network(given)[0, 0].sigmoid().cpu().numpy()
            patches[k] = _between(step.old.patches[k], step.new.patches[k], window.view.paste(fused, step.old.shape))
        return Masks(step.old.shape, tuple(patches)).limited()

    def _window(self, step: Step, k: int) -> Window | None:
        parts = (step.old.patches[k], step.new.patches[k])
        return view_window(parts) if self._network.fold > 1 else whole_window(parts)


def open_structures(step: Step) -> list[int]:
    """The structures of which old and new mask have something to decide: those that a correction changed."""
    return [
        k
        for k, until in enumerate(step.until)
        if np.isfinite(until) and _was_corrected(step, k) and _differ(step.old.patches[k], step.new.patches[k])
    ]


def view_window(parts: tuple[Patch | None, ...]) -> Window | None:
    """A view of a structure, as the bundled engine has it; None where nothing of it is likely."""
    view = view_of(parts, VIEW_PIXELS)
    return None if view is None else Window(view, VIEW_PIXELS)


def whole_window(parts: tuple[Patch | None, ...]) -> Window | None:
    """As much of a slice, at its own resolution, as the masks touch."""
    places = [part.place for part in parts if part is not None]
    if not places:
        return None
    top, left = (min(place[axis].start for place in places) - _MARGIN_PIXELS for axis in (0, 1))
    bottom, right = (max(place[axis].stop for place in places) + _MARGIN_PIXELS for axis in (0, 1))
    pixels = max(bottom - top, right - left)
    middle = (pixels - 1) / 2
    return Window(View(left + middle, top + middle, zoom=1.0), pixels)


def planes(step: Step, k: int, window: Window) -> FloatArray:
    """The slice in three windows, old and new mask of a structure, and what was added and removed: (7, S, S)."""
    view, pixels = window.view, window.pixels
    masks = (step.old, step.new, step.difference.added, step.difference.removed)
    image = [view.cut(channel, pixels) for channel in step.image.image]
    return np.stack([*image, *(view.cut_patch(mask.patches[k], pixels) for mask in masks)])


def shares(step: Step, k: int) -> FloatArray:
    """(2,) the way from the corrected slice, and that to the next annotated one, as shares of both together."""
    ways = np.array([step.since[k], step.until[k]], np.float32)
    return np.asarray(ways / ways.sum(), np.float32)


def to_fuse(seen: Tensor, distances: Tensor) -> FusionInputs:
    """From :func:`planes` (B, 7, S, S) and :func:`shares` (B, 2)."""
    return FusionInputs(normalised(seen[:, :3]), seen[:, 3:4], seen[:, 4:5], seen[:, 5:], distances)


def _without_asking(step: Step, k: int) -> Patch | None:
    """The new mask at the scan's end; otherwise the old one, in case the network is not asked."""
    corrected_to_end = _was_corrected(step, k) and not np.isfinite(step.until[k])
    return (step.new if corrected_to_end else step.old).patches[k]


def _was_corrected(step: Step, k: int) -> bool:
    return step.difference.added.patches[k] is not None or step.difference.removed.patches[k] is not None


def _differ(old: Patch | None, new: Patch | None) -> bool:
    corner, parts = aligned((old, new))
    return corner is not None and float(np.abs(parts[0] - parts[1]).max()) >= _LEAST_DIFFERENCE


def _between(old: Patch | None, new: Patch | None, fused: Patch | None) -> Patch | None:
    """The fused mask, brought to between the two."""
    corner, parts = aligned((old, new, fused))
    if corner is None:
        return None
    one, other, wanted = parts
    values = np.clip(wanted, np.minimum(one, other), np.maximum(one, other))
    found = Patch.of(values)
    return found and Patch(corner[0] + found.top, corner[1] + found.left, found.values)
