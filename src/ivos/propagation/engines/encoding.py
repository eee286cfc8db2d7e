"""Memory values of slices, however many structures there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from ivos.nets.stcn import STCN
    from ivos.nets.xmem import XMem

STRUCTURES_AT_ONCE = 16
"""What value encoder and decoder hold is bounded by this."""


def values_of(network: STCN | XMem, image: Tensor, f16: Tensor, masks: Tensor) -> Tensor:
    """Values (K, V, h/16, w/16) of an image (1, 3, h, w) with its key features and the masks (K, h, w) on it."""
    masks = masks[:, None].to(image.dtype)
    others = masks.sum(0, keepdim=True) - masks
    parts = [
        network.encode_value(image, f16, mask, other)
        for mask, other in zip(
            torch.split(masks, STRUCTURES_AT_ONCE), torch.split(others, STRUCTURES_AT_ONCE), strict=True
        )
    ]
    return torch.cat(parts)
