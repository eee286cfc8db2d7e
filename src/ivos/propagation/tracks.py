"""Structures on their way through a scan, each seen in a view of its own: what the small network is shown.

The engine and the training walk with the same code, so that the network meets in use what it met in training.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from ivos.nets.fast import Remembered
from ivos.propagation.focus import Light, View, light_on, view_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ivos.nets.fast import FastNet
    from ivos.propagation.engines.protocol import FloatArray

VIEW_PIXELS = 96
_REFERENCES = 2  # drawn slices that are read from: the nearest ones


@dataclass(frozen=True)
class Reference:
    """A drawn slice as a structure remembers it.

    Attributes:
        index: the slice's number.
        view: where the structure lies in it.
        light: how it stands out there.
        area: its pixels there.
        shown: the view of the slice and that of the mask, (2, S, S).
    """

    index: int
    view: View
    light: Light
    area: float
    shown: FloatArray


def reference_of(index: int, image: FloatArray, mask: FloatArray) -> Reference | None:
    """What to remember of a slice (C, H, W) and a structure drawn on it (H, W); None for an empty mask."""
    view = view_of(mask, VIEW_PIXELS)
    if view is None:
        return None
    light = light_on(image, mask, view, VIEW_PIXELS)
    seen = light.stretched(view.cut(image[light.channel], VIEW_PIXELS))
    return Reference(index, view, light, float(mask.sum()), np.stack([seen, view.cut(mask, VIEW_PIXELS)]))


@dataclass
class Track:
    """One structure on its way.

    Attributes:
        image: the slice that it was last seen on, (C, H, W).
        mask: its probabilities there, (H, W).
        references: the drawn slices that show it.
        view: where it was last looked for.
    """

    image: FloatArray
    mask: FloatArray
    references: list[Reference] = field(default_factory=list)
    view: View | None = None

    def nearest(self, index: int) -> list[Reference]:
        """The drawn slices to read from, nearest first; the one is doubled where there is no second."""
        found = sorted(self.references, key=lambda r: abs(r.index - index))[:_REFERENCES]
        return found * (_REFERENCES if len(found) == 1 else 1)

    def look(self) -> bool:
        """Turn to where the structure is; False where nothing of it is left."""
        self.view = view_of(self.mask, VIEW_PIXELS, self.view)
        return self.view is not None and bool(self.references)


@dataclass(frozen=True)
class Batch:
    """What the network is shown of B structures at one slice each: see :mod:`ivos.nets.fast`."""

    evidence: Tensor  # (B, 6, S, S)
    scalars: Tensor  # (B, 2)
    shown: Tensor  # (B, R, 2, S, S) drawn views and their masks

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return Batch(self.evidence.to(device), self.scalars.to(device), self.shown.to(device))


def gather(
    tracks: Sequence[Track], images: Sequence[FloatArray], others: Sequence[FloatArray], index: Sequence[int]
) -> Batch:
    """Evidence for each track on the slice that it comes to next.

    Args:
        tracks: structures that have been turned to (:meth:`Track.look`).
        images: for each, the next slice (C, H, W).
        others: for each, what the other structures hold of the last slice, (H, W).
        index: for each, the next slice's number.
    """
    evidence, scalars, shown = [], [], []
    for track, image, other, number in zip(tracks, images, others, index, strict=True):
        nearest = track.nearest(number)
        evidence.append(_evidence(track, image, other, nearest[0].light))
        growth = np.log((float(track.mask.sum()) + 1) / (nearest[0].area + 1))
        scalars.append((np.log1p(abs(number - nearest[0].index)) / 3, np.clip(growth, -3, 3)))
        shown.append(np.stack([reference.shown for reference in nearest]))
    return Batch(
        torch.from_numpy(np.stack(evidence)),
        torch.tensor(np.array(scalars), dtype=torch.float32),
        torch.from_numpy(np.stack(shown)),
    )


def answer(network: FastNet, batch: Batch) -> tuple[Tensor, Tensor]:
    """The network's mask logits (B, 1, S, S) and presence logits (B,)."""
    count, references = batch.shown.shape[:2]
    drawn = batch.shown.flatten(0, 1)
    views, masks = drawn[:, :1], drawn[:, 1:]
    remembered = network.remember(views, masks, network.encode(views))
    memory = Remembered(*(_joined(part, count, references) for part in (remembered.keys, remembered.values)))
    current, previous = (network.encode(batch.evidence[:, n : n + 1]) for n in (0, 1))
    logits, presence = network(batch.evidence, batch.scalars, current, previous, memory)
    return logits, presence


def _joined(part: Tensor, count: int, references: int) -> Tensor:
    """(B R, C, P) to (B, C, R P)."""
    channels, positions = part.shape[1:]
    return part.reshape(count, references, channels, positions).transpose(1, 2).reshape(count, channels, -1)


def _evidence(track: Track, image: FloatArray, others: FloatArray, light: Light) -> FloatArray:
    view = track.view
    assert view is not None  # noqa: S101 - callers look before they gather
    current, previous = (light.stretched(view.cut(i[light.channel], VIEW_PIXELS)) for i in (image, track.image))
    mask = view.cut(track.mask, VIEW_PIXELS)
    carried = _carried(mask, current, previous)
    return np.stack([current, previous, mask, carried, light.likelihood(current), view.cut(others, VIEW_PIXELS)])


def _carried(mask: FloatArray, current: FloatArray, previous: FloatArray) -> FloatArray:
    """A mask along the optical flow between two views, computed at twice their size."""
    size = 2 * VIEW_PIXELS
    pictures = [np.rint(255 * cv2.resize(view, (size, size))).astype(np.uint8) for view in (current, previous)]
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(pictures[0], pictures[1], None)
    halved = cv2.resize(flow, (VIEW_PIXELS, VIEW_PIXELS), interpolation=cv2.INTER_AREA) / 2
    rows, columns = np.indices(mask.shape, dtype=np.float32)
    return np.asarray(cv2.remap(mask, columns + halved[..., 0], rows + halved[..., 1], cv2.INTER_LINEAR), np.float32)
