"""Slices as the published networks take them, and their answers back at the slices' own size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from torch import Tensor

    from ivos.propagation.engines.protocol import Slice
    from ivos.propagation.masks import Masks
    from ivos.types import FloatArray

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, on which the encoders were trained first
_STRIDE = 16

PUBLISHED_SIZE = 512
"""The slice size that the checkpoints of IVOS were trained and run at; XMem's own is near it."""


@dataclass(frozen=True)
class WorkingGrid:
    """The size, device and precision at which a network works.

    Attributes:
        longer_side: slices are scaled so that their longer side has this many pixels; None for no scaling.
        device: where the network runs.
        dtype: of what it is given.
    """

    longer_side: int | None
    device: torch.device
    dtype: torch.dtype

    def image(self, image: Slice) -> Tensor:
        """(1, 3, h, w): scaled, normalised, padded."""
        pixels = torch.from_numpy(image.image)[None].to(self.device)
        return self._padded(normalised(self._scaled(pixels))).to(self.dtype)

    def masks(self, masks: Masks) -> Tensor:
        """(K, h, w) of a slice's structures, in float32."""
        dense = torch.from_numpy(masks.dense())[None].to(self.device)
        return self._padded(self._scaled(dense))[0]

    def restored(self, shares: Tensor, shape: tuple[int, ...]) -> FloatArray:
        """(K, h, w) without padding, at the slice's own size (H, W)."""
        height, width = self._size(shape)
        (top, _), (left, _) = _padding(height), _padding(width)
        inner = shares[:, top : top + height, left : left + width]
        restored: FloatArray = _resized(inner[None], (shape[0], shape[1]))[0].cpu().numpy()
        return restored

    def _scaled(self, pixels: Tensor) -> Tensor:
        return _resized(pixels, self._size(pixels.shape[2:]))

    def _size(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Height and width at which the network works."""
        scale = 1.0 if self.longer_side is None else self.longer_side / max(shape)
        return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))

    def _padded(self, pixels: Tensor) -> Tensor:
        """Zeros on both sides up to a multiple of the stride."""
        (top, bottom), (left, right) = (_padding(length) for length in pixels.shape[2:])
        return F.pad(pixels, (left, right, top, bottom))


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
