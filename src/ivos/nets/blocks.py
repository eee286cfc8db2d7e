"""Parts that the small networks share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor


Norm = Callable[[int], nn.Module]


def conv(channels: int, out: int, stride: int = 1, norm: Norm = nn.BatchNorm2d) -> nn.Sequential:
    """A 3 x 3 convolution, a norm and ReLU."""
    return nn.Sequential(nn.Conv2d(channels, out, 3, stride, 1, bias=False), norm(out), nn.ReLU())


class Residual(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut."""

    def __init__(self, channels: int, norm: Norm = nn.BatchNorm2d) -> None:
        super().__init__()
        self.first = conv(channels, channels, norm=norm)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), norm(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        return F.relu(x + self.second(self.first(x)))


def residuals(count: int, channels: int) -> list[Residual]:
    """Some of them, one behind the other."""
    return [Residual(channels) for _ in range(count)]


def upsampled(x: Tensor) -> Tensor:
    """Twice the height and width, by nearest neighbour."""
    return F.interpolate(x, scale_factor=2, mode="nearest")
