"""The refinement network: it corrects a propagated structure in three dimensions.

Convolutions are two-dimensional; before each of them a part of the channels is shifted to the neighbouring slices. That
costs nothing, and sees what a three-dimensional convolution would. How much of a neighbour comes across is learned from
the spacing, so that slices far apart are trusted less.

Legend: B structures, Z slices, H and W sides of the grid (multiples of 16); x2, x4, x8, x16 features at that stride.

References:
    Lin, Gan, Han: TSM: Temporal shift module for efficient video understanding, ICCV 2019.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from ivos.nets.blocks import upsampled

if TYPE_CHECKING:
    from torch import Tensor

PLANES = ("wide", "close", "likelihood", "propagated", "others", "shape", "known")
NUMBERS = ("present", "absent", "since", "until", "has before", "has after", "nearest")
SCALARS = ("slice to cell", "cell")
PRIOR = 10.0
_PROPAGATED = PLANES.index("propagated")


class ShiftedConv(nn.Module):
    """A 3 x 3 convolution over slices that sees the slices beside them, a norm and ReLU.

    Args:
        channels: of the input.
        out: of the output.
        stride: in plane.
        relu: whether ReLU follows.
    """

    def __init__(self, channels: int, out: int, *, stride: int = 1, relu: bool = True) -> None:
        super().__init__()
        self.part = channels // 4
        self.gate = nn.Linear(len(SCALARS), 2 * self.part)
        self.conv = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(out)
        self.relu = relu

    def forward(self, x: Tensor, scalars: Tensor) -> Tensor:
        """(B, Z, C, h, w) to (B, Z, out, h', w')."""
        batch, depth = x.shape[:2]
        gates = torch.sigmoid(self.gate(scalars) + 2)[:, None, :, None, None]
        n = self.part
        before = F.pad(x[:, :-1, :n], (0, 0, 0, 0, 0, 0, 1, 0)) * gates[:, :, :n]
        after = F.pad(x[:, 1:, n : 2 * n], (0, 0, 0, 0, 0, 0, 0, 1)) * gates[:, :, n:]
        y = self.norm(self.conv(torch.cat([before, after, x[:, :, 2 * n :]], 2).flatten(0, 1)))
        if self.relu:
            y = F.relu(y)
        return _by_slice(y, batch, depth)


class ShiftedResidual(nn.Module):
    """Two of them beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ShiftedConv(channels, channels)
        self.second = ShiftedConv(channels, channels, relu=False)

    def forward(self, x: Tensor, scalars: Tensor) -> Tensor:
        """(B, Z, C, h, w) to the same."""
        return F.relu(x + self.second(self.first(x, scalars), scalars))


class RefineNet(nn.Module):
    """Evidence about a propagated structure in a volume to a correction of its logits.

    Args:
        channels: at strides 2, 4, 8 and 16.
    """

    def __init__(self, channels: tuple[int, int, int, int] = (24, 48, 80, 112)) -> None:
        super().__init__()
        c2, c4, c8, c16 = channels
        self.in2 = ShiftedConv(4 * len(PLANES), c2)
        self.mix2 = ShiftedResidual(c2)
        self.in4 = ShiftedConv(c2, c4, stride=2)
        self.told = nn.Sequential(nn.Linear(len(NUMBERS) + len(SCALARS), 48), nn.ReLU(), nn.Linear(48, c4))
        self.mix4 = nn.ModuleList(ShiftedResidual(c4) for _ in range(2))
        self.in8 = ShiftedConv(c4, c8, stride=2)
        self.mix8 = nn.ModuleList(ShiftedResidual(c8) for _ in range(3))
        self.in16 = ShiftedConv(c8, c16, stride=2)
        self.mix16 = nn.ModuleList(ShiftedResidual(c16) for _ in range(3))
        self.presence = nn.Linear(2 * c16, 1)
        self.up8 = ShiftedConv(c8 + c16, c8)
        self.up4 = ShiftedConv(c4 + c8, c4)
        self.up2 = ShiftedConv(c2 + c4, c2)
        self.out = nn.Conv2d(c2, 4, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        assert self.out.bias is not None  # noqa: S101 - a convolution has one by default
        nn.init.zeros_(self.out.bias)

    def forward(self, planes: Tensor, numbers: Tensor, scalars: Tensor) -> tuple[Tensor, Tensor]:
        """What to add to the logits (B, Z, H, W), and logits (B, Z) of the structure's presence on each slice.

        Args:
            planes: (B, Z, P, H, W) in the order of :data:`PLANES`.
            numbers: (B, Z, N) in the order of :data:`NUMBERS`.
            scalars: (B, 2) in the order of :data:`SCALARS`.
        """
        batch, depth = planes.shape[:2]
        x2 = self.mix2(self.in2(F.pixel_unshuffle(planes, 2), scalars), scalars)
        told = self.told(torch.cat([numbers, scalars[:, None].expand(-1, depth, -1)], 2))
        x4 = self.in4(x2, scalars) + told[..., None, None]
        for block in self.mix4:
            x4 = block(x4, scalars)
        x8 = self.in8(x4, scalars)
        for block in self.mix8:
            x8 = block(x8, scalars)
        x16 = self.in16(x8, scalars)
        for block in self.mix16:
            x16 = block(x16, scalars)
        presence = self.presence(torch.cat([x16.mean((3, 4)), x16.amax((3, 4))], 2)).squeeze(2)
        y = self.up8(torch.cat([x8, _twice(x16)], 2), scalars)
        y = self.up4(torch.cat([x4, _twice(y)], 2), scalars)
        y = self.up2(torch.cat([x2, _twice(y)], 2), scalars)
        added = _by_slice(F.pixel_shuffle(self.out(y.flatten(0, 1)), 2).squeeze(1), batch, depth)
        return added, presence + 2


def refined_logits(planes: Tensor, added: Tensor, presence: Tensor) -> Tensor:
    """Logits (B, Z, H, W) after the correction; where the structure is held to be absent, lower ones."""
    return PRIOR * (planes[:, :, _PROPAGATED] - 0.5) + added + presence.clamp(max=0)[..., None, None]


def _twice(x: Tensor) -> Tensor:
    """(B, Z, C, h, w) at twice the height and width."""
    return _by_slice(upsampled(x.flatten(0, 1)), x.shape[0], x.shape[1])


def _by_slice(x: Tensor, batch: int, depth: int) -> Tensor:
    """(B * Z, ...) to (B, Z, ...)."""
    return x.reshape(batch, depth, *x.shape[1:])
