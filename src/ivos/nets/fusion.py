"""The fusion of MiVOS: of an old and a new mask of a structure, which is right where, given what a person changed.

References:
    Cheng, Tai, Tang: Modular Interactive Video Object Segmentation: Interaction-to-Mask, Propagation and
    Difference-Aware Fusion, CVPR 2021.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

OURS = 2
"""The fold of our own network."""

_WIDTH = 32
_INPUTS = 9


@dataclass(frozen=True)
class FusionInputs:
    """What the network is shown of B structures, in images of H x W pixels."""

    images: Tensor  # (B, 3, H, W) normalised as for ImageNet
    old: Tensor  # (B, 1, H, W) probabilities before the correction
    new: Tensor  # (B, 1, H, W) those carried from the corrected slice
    difference: Tensor  # (B, 2, H, W) what was added there and what was taken away, carried here
    distances: Tensor  # (B, 2) to the corrected and to the next annotated slice, as shares of both together


class FusionNet(nn.Module):
    """Nine planes to a mask, through two residual blocks.

    Args:
        fold: side of the squares of pixels that become channels before the first convolution, and pixels again after
            the last one: 1 in the published network; ours costs a quarter with 2 and sees twice as far.
    """

    def __init__(self, fold: int = 1) -> None:
        super().__init__()
        self.fold = fold
        self.conv1 = nn.Sequential(_conv(_INPUTS * fold**2, _WIDTH))
        self.conv2 = nn.Sequential(_conv(_WIDTH, _WIDTH), nn.ReLU(), _conv(_WIDTH, _WIDTH))
        self.conv3 = nn.Sequential(_conv(_WIDTH, _WIDTH), nn.ReLU(), _conv(_WIDTH, _WIDTH))
        self.final_conv = _conv(_WIDTH, fold**2)

    def forward(self, given: FusionInputs) -> Tensor:
        """Logits of the fused masks (B, 1, H, W); H and W are multiples of ``fold``."""
        planes = given.distances[:, :, None, None].expand(-1, -1, *given.images.shape[2:])
        x = torch.cat([given.images, given.old, given.new, given.difference, planes], 1)
        x = F.relu(self.conv1(F.pixel_unshuffle(x, self.fold)))
        x = F.relu(x + self.conv2(x))
        x = F.relu(x + self.conv3(x))
        return F.pixel_shuffle(self.final_conv(x), self.fold)


def _conv(channels: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 3, padding=1)
