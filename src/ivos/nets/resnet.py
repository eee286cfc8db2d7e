"""Residual networks down to stride 16, as the published memory networks use them.

References:
    He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

if TYPE_CHECKING:
    from torch import Tensor


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut."""

    expansion = 1

    def __init__(self, channels: int, width: int, stride: int, *, conv_bias: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=conv_bias)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=conv_bias)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(channels, width, stride, conv_bias=conv_bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to (B, width, H / stride, W / stride)."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        y += self.downsample(x)
        return F.relu(y, inplace=True)


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 (which takes the stride) and 1 x 1 convolutions beside a shortcut."""

    expansion = 4

    def __init__(self, channels: int, width: int, stride: int, *, conv_bias: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, bias=conv_bias)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=conv_bias)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=conv_bias)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = _shortcut(channels, 4 * width, stride, conv_bias=conv_bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to (B, 4 width, H / stride, W / stride)."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        y += self.downsample(x)
        return F.relu(y, inplace=True)


class ResNet(nn.Module):
    """A residual network without its last stage.

    Args:
        block: the kind of block.
        depths: blocks in each of the three stages (strides 4, 8, 16).
        in_channels: channels of the input.
        conv_bias: whether convolutions have a bias beside their batch norm's.
    """

    def __init__(
        self, block: type[BasicBlock | Bottleneck], depths: tuple[int, int, int], in_channels: int, *, conv_bias: bool
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 64, 7, 2, 3, bias=conv_bias)
        self.bn1 = nn.BatchNorm2d(64)
        channels, stages = 64, []
        for width, depth, stride in zip((64, 128, 256), depths, (1, 2, 2), strict=True):
            blocks = []
            for number in range(depth):
                blocks.append(block(channels, width, stride if number == 0 else 1, conv_bias=conv_bias))
                channels = width * block.expansion
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3 = stages

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features at strides 16, 8 and 4 of an image (B, in_channels, H, W)."""
        return self.stages(self.conv1(x))

    def stages(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same from what the first convolution gave: (B, 64, H/2, W/2)."""
        x = F.relu(self.bn1(x), inplace=True)
        f4 = self.layer1(F.max_pool2d(x, 3, 2, 1))
        f8 = self.layer2(f4)
        f16 = self.layer3(f8)
        return f16, f8, f4


def _shortcut(channels: int, out: int, stride: int, *, conv_bias: bool) -> nn.Module:
    if stride == 1 and channels == out:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=conv_bias), nn.BatchNorm2d(out))


def fold_batch_norms(network: nn.Module) -> None:
    """Put every residual network's batch norms into the convolutions before them, in place: for inference alone."""
    for module in network.modules():
        if isinstance(module, BasicBlock | Bottleneck | ResNet):
            for name, norm in list(module.named_children()):
                if isinstance(norm, nn.BatchNorm2d):
                    conv = name.replace("bn", "conv")
                    setattr(module, conv, fuse_conv_bn_eval(getattr(module, conv), norm))
                    setattr(module, name, nn.Identity())
                elif name == "downsample" and isinstance(norm, nn.Sequential):
                    conv_and_norm: Any = norm
                    module.downsample = fuse_conv_bn_eval(*conv_and_norm)
