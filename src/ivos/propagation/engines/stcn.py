"""Carries masks by matching slices against a memory of slices: the published STCN network as an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from ivos.nets.stcn import STCN, KeyFeatures, aggregate, for_inference
from ivos.propagation.masks import Masks
from ivos.propagation.memory import Keep, Memory

if TYPE_CHECKING:
    from torch import Tensor

    from ivos.propagation.engines.protocol import BoolArray, FloatArray, Slice

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, on which the encoders were trained first
_STRIDE = 16
_STRUCTURES_AT_ONCE = 16  # what value encoder and decoder hold is bounded by this


@dataclass(frozen=True)
class _Seen:
    """A predicted slice that has not been remembered yet."""

    index: int
    image: Tensor  # (1, 3, h, w) normalised and padded
    features: KeyFeatures
    masks: Tensor  # (K, h, w)


class STCNEngine:
    """Reads each slice's masks from memory; annotated slices stay in it for good.

    Args:
        network: the network, loaded.
        device: where it runs.
        memory_budget_bytes: what the memory may take.
        top_k: memory positions that each position reads from.
        memory_every: predicted slices whose number is a multiple of this are remembered, as long as there is room.
        keep_last: whether the last slice is remembered until the next.
        working_size: slices are scaled so that their longer side has this many pixels; None for no scaling.
        bfloat16: whether features are computed and remembered in bfloat16: faster where the hardware has it, and not
            quite the same.

    References:
        Cheng, Tai, Tang: Rethinking Space-Time Networks with Improved Memory Coverage for Efficient Video Object
        Segmentation, NeurIPS 2021.
    """

    fuses = False

    def __init__(
        self,
        network: STCN,
        *,
        device: torch.device,
        memory_budget_bytes: int,
        top_k: int = 20,
        memory_every: int = 5,
        keep_last: bool = True,
        working_size: int | None = None,
        bfloat16: bool = False,
    ) -> None:
        self._dtype = torch.bfloat16 if bfloat16 else torch.float32
        winograd = device.type == "cpu" and not bfloat16
        self._network = for_inference(network.to(device), dtype=self._dtype, winograd=winograd)
        self._device = device
        self._budget_bytes = memory_budget_bytes
        self._top_k, self._memory_every, self._keep_last = top_k, memory_every, keep_last
        self._working_size = working_size
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._memory = Memory(self._budget_bytes)
        self._observed: dict[int, Masks] = {}
        self._last: _Seen | None = None

    @torch.inference_mode()
    def observe(self, image: Slice, masks: Masks, known: BoolArray) -> None:
        """Remember an annotated slice for good."""
        self._last = None  # what was predicted of this slice is superseded
        before, dense = self._observed.get(image.index), masks.dense()
        if before is not None and np.array_equal(before.dense(), dense):
            return
        self._observed[image.index] = masks
        pixels = self._prepared(image)
        drawn = self._padded(self._scaled(torch.from_numpy(dense)[None].to(self._device)))[0]
        features = self._network.encode_key(pixels)
        seen = _Seen(image.index, pixels, features, aggregate(drawn)[1:])
        self._remember(seen, torch.from_numpy(known).to(self._device), Keep.ALWAYS)

    @torch.inference_mode()
    def predict(self, image: Slice, opposite: Masks | None) -> Masks:  # noqa: ARG002
        """The structures on the next slice."""
        if not self._observed:
            raise RuntimeError("predict before observe")
        self._remember_last()
        pixels = self._prepared(image)
        features = self._network.encode_key(pixels)
        height, width = features.key.shape[2:]
        readout = self._memory.read(features.key[0].flatten(1), self._top_k)  # (K, 512, h/16 * w/16)
        maps = readout.reshape(len(readout), -1, height, width)
        parts = [self._network.decode(part, features) for part in torch.split(maps, _STRUCTURES_AT_ONCE)]
        shares = aggregate(torch.cat(parts))
        self._last = _Seen(image.index, pixels, features, shares[1:])
        return Masks.of(self._restored(shares[1:], image.image.shape[1:]))

    def _remember_last(self) -> None:
        """Take up the slice predicted before this one: late, since the last slice of a pass is never needed."""
        if self._last is None:
            return
        lasting = self._last.index % self._memory_every == 0
        if lasting or self._keep_last:
            everything = torch.ones(len(self._last.masks), dtype=torch.bool, device=self._device)
            self._remember(self._last, everything, Keep.WHILE_ROOM if lasting else Keep.UNTIL_NEXT)
        self._last = None

    def _remember(self, seen: _Seen, known: Tensor, keep: Keep) -> None:
        masks = seen.masks[:, None].to(self._dtype)  # (K, 1, h, w)
        others = masks.sum(0, keepdim=True) - masks
        parts = [
            self._network.encode_value(seen.image, seen.features.f16, mask, other)
            for mask, other in zip(
                torch.split(masks, _STRUCTURES_AT_ONCE), torch.split(others, _STRUCTURES_AT_ONCE), strict=True
            )
        ]
        self._memory.add(seen.index, seen.features.key[0].flatten(1), torch.cat(parts).flatten(2), known, keep)

    def _prepared(self, image: Slice) -> Tensor:
        """(1, 3, h, w): scaled, normalised, padded."""
        pixels = torch.from_numpy(image.image)[None].to(self._device)
        return self._padded(normalised(self._scaled(pixels))).to(self._dtype)

    def _scaled(self, pixels: Tensor) -> Tensor:
        return _resized(pixels, self._size(pixels.shape[2:]))

    def _size(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Height and width at which the network works."""
        scale = 1.0 if self._working_size is None else self._working_size / max(shape)
        return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))

    def _padded(self, pixels: Tensor) -> Tensor:
        """Zeros on both sides up to a multiple of the stride."""
        (top, bottom), (left, right) = (_padding(length) for length in pixels.shape[2:])
        return F.pad(pixels, (left, right, top, bottom))

    def _restored(self, shares: Tensor, shape: tuple[int, ...]) -> FloatArray:
        """Without padding, at the slice's own size."""
        height, width = self._size(shape)
        (top, _), (left, _) = _padding(height), _padding(width)
        inner = shares[:, top : top + height, left : left + width]
        restored: FloatArray = _resized(inner[None], (shape[0], shape[1]))[0].cpu().numpy()
        return restored


def normalised(images: Tensor) -> Tensor:
    """Images (..., 3, H, W) in [0, 1] as the network takes them."""
    mean, std = (torch.tensor(values, device=images.device)[:, None, None] for values in (_MEAN, _STD))
    return (images - mean) / std


def _padding(length: int) -> tuple[int, int]:
    missing = -length % _STRIDE
    return missing // 2, missing - missing // 2


def _resized(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(pixels.shape[2:]) == size:
        return pixels
    return F.interpolate(pixels, size=size, mode="bilinear", align_corners=False, antialias=True)
