"""Residual networks down to stride 16, as the published memory networks use them, and what makes them fast.

References:
    He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016.
    Lavin, Gray: Fast Algorithms for Convolutional Neural Networks, CVPR 2016.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import torch
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


_TILES_AT_ONCE = 128  # so many fit into the processor's cache
_LEAST_CHANNELS = 256
_TO_DOMAIN = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
_KERNEL_TO_DOMAIN_24 = ((6, 0, 0), (-4, -4, -4), (-4, 4, -4), (1, 2, 4), (1, -2, 4), (0, 0, 24))  # times 24
_FROM_DOMAIN = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))


class WinogradConv(nn.Module):
    """A 3 x 3 convolution in a quarter of the multiplications: F(4 x 4, 3 x 3) of Lavin and Gray.

    Tiles of 6 x 6 pixels, 4 apart, and the kernels are brought into a domain where convolving is multiplying, so that
    36 matrix products over channels give tiles of 4 x 4. The result differs from the direct one by rounding alone.

    Args:
        conv: a convolution with stride 1 and padding 1; its weights are copied.
    """

    kernels: Tensor
    bias: Tensor | None
    to_domain: Tensor
    from_domain: Tensor

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        weight = conv.weight.detach()
        g = torch.tensor(_KERNEL_TO_DOMAIN_24, dtype=torch.float64, device=weight.device) / 24
        kernels = torch.einsum("ip,jq,ocpq->ijco", g, g, weight.double()).flatten(0, 1)
        there, back = torch.tensor(_TO_DOMAIN), torch.tensor(_FROM_DOMAIN)
        self.register_buffer("kernels", kernels.to(weight.dtype).contiguous())  # (36, C, O)
        self.register_buffer("bias", conv.bias)
        self.register_buffer("to_domain", torch.kron(there, there).to(weight))  # (36, 36)
        self.register_buffer("from_domain", torch.kron(back, back).to(weight))  # (16, 36)

    @staticmethod
    def suits(conv: nn.Conv2d) -> bool:
        """Whether it gains: with fewer channels, bringing tiles there and back costs more than it saves."""
        return conv.kernel_size == (3, 3) and conv.stride == (1, 1) and min(conv.weight.shape[:2]) >= _LEAST_CHANNELS

    def forward(self, x: Tensor, *, activate: bool = False, onto: Tensor | None = None) -> Tensor:
        """(B, C, H, W) to (B, O, H, W), both channels last.

        Args:
            x: the input.
            activate: whether negative inputs count as zero.
            onto: (B, O, H, W) to add the result to; it may be written over.
        """
        count, _, height, width = x.shape
        rows, columns = -(-height // 4), -(-width // 4)
        shape = (count, rows, 4, columns, 4, self.kernels.shape[2])
        in_place = onto is not None and onto.is_contiguous(memory_format=torch.channels_last)
        if onto is not None and in_place and height % 4 == width % 4 == 0:
            self._convolve(x, onto.permute(0, 2, 3, 1).view(shape), activate=activate, add=True)
            return onto
        out = x.new_empty(shape)
        self._convolve(x, out, activate=activate, add=False)
        out = out.view(count, 4 * rows, 4 * columns, -1)[:, :height, :width].permute(0, 3, 1, 2)
        return out if onto is None else out.add_(onto)

    def _convolve(self, x: Tensor, out: Tensor, *, activate: bool, add: bool) -> None:
        """Fill or add to ``out`` (B, H/4, 4, W/4, 4, O), some tiles at a time in buffers that are filled again."""
        count, rows, _, columns, _, width = out.shape
        channels = x.shape[1]
        images = min(count, max(1, _TILES_AT_ONCE // (rows * columns)))
        lines = min(rows, max(1, _TILES_AT_ONCE // columns))
        most = images * lines * columns
        before, domain = (x.new_empty(36 * most * channels) for _ in range(2))
        products, pixels = (x.new_empty(size * most * width) for size in (36, 16))
        for first, top in itertools.product(range(0, count, images), range(0, rows, lines)):
            place = out[first : first + images, top : top + lines]
            tiles = _tiles(x[first : first + images].permute(0, 2, 3, 1), top, place.shape[1], columns)
            n = len(place) * place.shape[1] * columns
            torch.clamp(tiles, min=0 if activate else -math.inf, out=_shaped(before, *tiles.shape))
            torch.mm(self.to_domain, _shaped(before, 36, n * channels), out=_shaped(domain, 36, n * channels))
            torch.bmm(_shaped(domain, 36, n, channels), self.kernels, out=_shaped(products, 36, n, width))
            torch.mm(self.from_domain, _shaped(products, 36, n * width), out=_shaped(pixels, 16, n * width))
            done = _shaped(pixels, 4, 4, len(place), place.shape[1], columns, width)
            if self.bias is not None:
                done += self.bias
            done = done.permute(2, 3, 0, 4, 1, 5)
            _ = place.add_(done) if add else place.copy_(done)


def _tiles(images: Tensor, top: int, lines: int, columns: int) -> Tensor:
    """Overlapping tiles (6, 6, B, lines, columns, C) of images (B, H, W, C), from line ``top`` of tiles on."""
    begin, end = 4 * top - 1, 4 * (top + lines) + 1
    inside = images[:, max(begin, 0) : end]
    above = max(-begin, 0)
    below = end - begin - above - inside.shape[1]
    padded = F.pad(inside, (0, 0, 1, 1 + 4 * columns - images.shape[2], above, below))
    return padded.unfold(1, 6, 4).unfold(2, 6, 4).permute(4, 5, 0, 1, 2, 3)


def _shaped(buffer: Tensor, *shape: int) -> Tensor:
    return buffer[: math.prod(shape)].view(shape)
