"""Corrects what the passes found, each structure in three dimensions, where its ends and its shape can be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from ivos.device import has_bfloat16, pick_device
from ivos.nets.checkpoints import load_refine
from ivos.nets.refine import PRIOR
from ivos.propagation.bidirectional import with_drawn
from ivos.propagation.masks import Masks
from ivos.propagation.patch import Patch
from ivos.propagation.refine.evidence import gather
from ivos.propagation.refine.grid import box_about
from ivos.propagation.refine.soft_labels import dense_part

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ivos.device import DeviceChoice
    from ivos.nets.refine import RefineNet
    from ivos.propagation.annotations import Annotations
    from ivos.propagation.bidirectional import SliceStack
    from ivos.propagation.refine.evidence import Evidence
    from ivos.propagation.refine.grid import Box
    from ivos.propagation.refine.soft_labels import SoftLabels
    from ivos.types import FloatArray

_MOST_SLICES, _OVERLAP = 48, 16
_LEAST = 0.01  # probabilities below this are not kept


class Refiner:
    """The refinement network on a device.

    Args:
        network: the network, loaded.
        device: where it runs.
    """

    def __init__(self, network: RefineNet, device: torch.device) -> None:
        self._network = network.to(device).eval()
        self._device = device
        self._bfloat16 = has_bfloat16(device)

    @torch.inference_mode()
    def correction(self, evidence: Evidence) -> tuple[FloatArray, FloatArray]:
        """What to add to the logits (Z, rows, columns), and what to lower them by on each slice (Z,), 0 or less."""
        count = len(evidence.planes)
        starts = range(0, max(1, count - _OVERLAP), _MOST_SLICES - _OVERLAP)
        added = np.zeros((count, *evidence.planes.shape[2:]), np.float32)
        lowered, weights = np.zeros(count, np.float32), np.zeros(count, np.float32)
        for start in starts:
            part = slice(start, min(start + _MOST_SLICES, count))
            planes, numbers = (
                torch.from_numpy(a[part])[None].to(self._device) for a in (evidence.planes, evidence.numbers)
            )
            scalars = torch.from_numpy(evidence.scalars)[None].to(self._device)
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bfloat16):
                logits, presence = self._network(planes, numbers, scalars)
            length = part.stop - part.start
            weight = np.minimum(np.arange(1, length + 1), np.arange(length, 0, -1)).astype(np.float32)
            added[part] += weight[:, None, None] * logits[0].float().cpu().numpy()
            lowered[part] += weight * presence[0].float().clamp(max=0).cpu().numpy()
            weights[part] += weight
        return np.asarray(added / weights[:, None, None], np.float32), np.asarray(lowered / weights, np.float32)


def load_refiner(weights: Path, *, device: DeviceChoice = "auto") -> Refiner:
    """The refinement with the weights of a file, ready to use.

    Raises:
        InputError: the weights are unreadable or of another network; the device is not there.
    """
    return Refiner(load_refine(weights), pick_device(device))


def refine(
    stack: SliceStack, annotations: Annotations, soft: SoftLabels, refiner: Refiner
) -> Iterator[tuple[int, Masks]]:
    """Every slice with its structures corrected; what is annotated stays as annotated.

    Args:
        stack: the scan.
        annotations: its annotated slices.
        soft: what the passes found.
        refiner: the network.

    Yields:
        Numbers of slices and probabilities of the K structures on them, in order.
    """
    masks = {index: soft.masks(index) for index in range(len(soft))}
    corrected: dict[int, list[Patch | None]] = {index: list(found.patches) for index, found in masks.items()}
    for structure, extents in enumerate(soft.extents()):
        box = box_about(extents, len(soft))
        evidence = None if box is None else gather(stack, annotations, structure, box, masks)
        if box is None or evidence is None:
            continue
        added, lowered = refiner.correction(evidence)
        for place, index in enumerate(range(box.first, box.last)):
            if evidence.asked[place]:
                before = masks[index].patches[structure]
                corrected[index][structure] = _corrected(before, added[place] + lowered[place], box, soft.shape)
    for index, patches in corrected.items():
        yield index, with_drawn(Masks(soft.shape, tuple(patches)).limited(), annotations, index)


def _corrected(before: Patch | None, added: FloatArray, box: Box, shape: tuple[int, int]) -> Patch | None:
    """A structure on a slice with its logits corrected at the slice's own resolution."""
    part = dense_part(before, box)
    probabilities = 1 / (1 + np.exp(-(PRIOR * (part - 0.5) + box.enlarge(added))))
    top, left = max(box.top, 0), max(box.left, 0)
    bottom, right = min(box.top + box.height, shape[0]), min(box.left + box.width, shape[1])
    inside = probabilities[top - box.top : bottom - box.top, left - box.left : right - box.left]
    found = Patch.of(np.where(inside > _LEAST, inside, 0))
    return found and Patch(found.top + top, found.left + left, found.values)
