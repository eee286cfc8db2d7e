"""The small network that follows any structure: it refines evidence, in a view centred on the structure.

Legend: B views, S their side in pixels (a multiple of 8), f4 features at stride 4, M remembered positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

VALUE_CHANNELS = 17
_PRIOR = 5.0
EVIDENCE = ("current", "previous", "mask", "carried", "likelihood", "others")
SCALARS = ("distance", "growth")


@dataclass(frozen=True)
class Seen:
    """What the encoder sees in views (B, 1, S, S)."""

    f4: Tensor  # (B, 48, S/4, S/4)
    key: Tensor  # (B, 32, S/4, S/4), of length 1


@dataclass(frozen=True)
class Remembered:
    """Keys and values of drawn slices."""

    keys: Tensor  # (B, 32, M)
    values: Tensor  # (B, 17, M): the mask, and what the network makes of image and mask


class FastNet(nn.Module):
    """Evidence about a structure in a slice to its mask there, and whether it is there at all.

    Evidence is the current and the previous slice, the previous mask, that mask carried by optical flow, the intensity
    likelihood learned on the drawn slice, the masks of other structures, and two readouts by affinity: from the drawn
    slices, by content, and from the previous slice, by content and place.
    """

    def __init__(self, channels: tuple[int, int, int] = (24, 48, 72)) -> None:
        super().__init__()
        c2, c4, c8 = channels
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(2), _conv(4, 24), _conv(24, 48, stride=2), Residual(48), Residual(48)
        )
        self.key = nn.Conv2d(48, 32, 1)
        self.value = nn.Sequential(nn.PixelUnshuffle(4), _conv(32, 24), nn.Conv2d(24, VALUE_CHANNELS - 1, 3, padding=1))
        self.sharpness = nn.Parameter(torch.tensor([2.5, 2.5]))  # log; of reading the drawn and the previous slice
        self.reach = nn.Parameter(torch.tensor(1.3))  # log; how far, in cells, the previous slice is searched
        self.scalars = nn.Linear(len(SCALARS), c4)
        self.in2 = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4 * len(EVIDENCE), c2, 3, padding=1), Residual(c2))
        self.in4 = _conv(c2, c4, stride=2)
        self.mix = nn.Sequential(_conv(c4 + 48 + VALUE_CHANNELS + 1, c4), Residual(c4), Residual(c4))
        self.in8 = nn.Sequential(_conv(c4, c8, stride=2), Residual(c8), Residual(c8))
        self.presence = nn.Linear(2 * c8, 1)
        self.up4 = nn.Sequential(_conv(c4 + c8, c4), Residual(c4))
        self.up2 = nn.Sequential(_conv(c2 + c4, c2), Residual(c2))
        self.out = nn.Conv2d(c2, 8, 3, padding=1)
        self.sharpen = nn.Sequential(nn.Conv2d(2 + 4, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 1, 3, padding=1))

    def encode(self, views: Tensor) -> Seen:
        """Features of views (B, 1, S, S) in [0, 1]."""
        f4 = self.encoder(views)
        return Seen(f4, F.normalize(self.key(f4), dim=1))

    def remember(self, views: Tensor, masks: Tensor, seen: Seen) -> Remembered:
        """Keys and values of drawn views and their masks (B, 1, S, S)."""
        values = torch.cat([F.avg_pool2d(masks, 4), self.value(torch.cat([views, masks], 1))], 1)
        return Remembered(seen.key.flatten(2), values.flatten(2))

    def forward(
        self, evidence: Tensor, scalars: Tensor, current: Seen, previous: Seen, memory: Remembered
    ) -> tuple[Tensor, Tensor]:
        """Mask logits (B, 1, S, S) and presence logits (B,).

        Args:
            evidence: (B, 6, S, S) in the order of :data:`EVIDENCE`.
            scalars: (B, 2) logs of the distance from the drawn slice, in slices, and of how much the structure has
                grown since.
            current: what the encoder sees in the current slice.
            previous: and in the previous one, in the same view.
            memory: of the drawn slices.
        """
        masks4 = F.avg_pool2d(evidence[:, 2:3], 4)
        recalled = _read(current.key, memory.keys, memory.values, self.sharpness[0].exp())
        near = _places(masks4.shape[2], masks4.device) / (-2 * (2 * self.reach).exp())
        followed = _read(current.key, previous.key.flatten(2), masks4.flatten(2), self.sharpness[1].exp(), near)
        x2 = self.in2(evidence)
        x4 = self.in4(x2) + self.scalars(scalars)[:, :, None, None]
        x4 = self.mix(torch.cat([x4, current.f4, recalled, followed], 1))
        x8 = self.in8(x4)
        presence = self.presence(torch.cat([x8.mean((2, 3)), x8.amax((2, 3))], 1)).squeeze(1)
        y = self.up4(torch.cat([x4, _upsampled(x8)], 1))
        y = self.up2(torch.cat([x2, _upsampled(y)], 1))
        coarse = F.pixel_shuffle(self.out(y), 2)  # (B, 2, S, S)
        detail = torch.cat([coarse, evidence[:, [0, 2, 3, 4]]], 1)
        prior = _PRIOR * (evidence[:, 3:4] - 0.5)  # the carried mask: there is something to improve on from the start
        return prior + coarse[:, :1] + self.sharpen(detail), presence + 2


class Residual(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        return F.relu(x + self.second(self.first(x)))


def _conv(channels: int, out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU())


def _read(query: Tensor, keys: Tensor, values: Tensor, sharpness: Tensor, near: Tensor | None = None) -> Tensor:
    """Values (B, C, M) at the places of a query (B, 32, h, w), by softmax of cosine similarity: (B, C, h, w)."""
    affinity = query.flatten(2).transpose(1, 2) @ keys * sharpness  # (B, hw, M)
    if near is not None:
        affinity = affinity + near
    readout: Tensor = values @ affinity.softmax(2).transpose(1, 2)
    return readout.reshape(len(query), -1, *query.shape[2:])


def _places(side: int, device: torch.device) -> Tensor:
    """Squared distances (side^2, side^2) of the cells of a square."""
    cells = torch.arange(side, device=device, dtype=torch.float32)
    points = torch.stack(torch.meshgrid(cells, cells, indexing="ij"), -1).flatten(0, 1)
    return (points[:, None] - points[None]).square().sum(-1)


def _upsampled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
