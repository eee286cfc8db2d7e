"""TransUNet with the slice's place in the scan, the reference network of the published method.

Parameters are named as in the published checkpoints.

References:
    Chen et al.: TransUNet: Transformers Make Strong Encoders for Medical Image Segmentation, 2021.
    Dosovitskiy et al.: An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale, ICLR 2021.
    Kolesnikov et al.: Big Transfer (BiT): General Visual Representation Learning, ECCV 2020.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

_WIDTH, _LAYERS, _HEADS, _MLP = 768, 12, 12, 3072  # ViT-B
_UNITS = (3, 4, 9)  # bottlenecks of the three stages before it
_SKIPS = (512, 256, 64, 0)
_DECODED = (256, 128, 64, 16)
_STRIDE = 16
_DROPOUT = 0.1


class TransUNet(nn.Module):
    """A ResNet, a transformer on what it gives at stride 16, and a decoder with skips from the ResNet.

    Args:
        classes: background included.
        size: side in pixels of the images that position embeddings are learned for; others get them interpolated.
        position: whether the slice's relative position is given to the head.
    """

    def __init__(self, classes: int, *, size: int, position: bool = True) -> None:
        super().__init__()
        self.transformer = _Transformer(size // _STRIDE)
        self.decoder = _Decoder()
        self.segmentation_head = nn.Sequential(nn.Conv2d(_DECODED[-1] + position, classes, 3, padding=1))
        self._position = position

    def forward(self, image: Tensor, position: Tensor | None = None) -> Tensor:
        """Logits (B, classes, H, W).

        Args:
            image: (B, 3, H, W), sides multiples of 16.
            position: (B,) where each slice lies, from 0 for the scan's first slice to 1 for its last.
        """
        return self.decode(self.encode(image), position)

    def encode(self, image: Tensor) -> list[Tensor]:
        """Features of (B, 3, H, W) at strides 2, 4 and 8, and what the transformer makes of those at stride 16."""
        tokens, skips = self.transformer(image)
        height, width = (side // _STRIDE for side in image.shape[2:])
        return [*skips[::-1], tokens.transpose(1, 2).reshape(image.shape[0], _WIDTH, height, width)]

    def decode(self, features: list[Tensor], position: Tensor | None = None) -> Tensor:
        """Logits of those features."""
        x = self.decoder(features[-1], features[-2::-1])
        if self._position:
            if position is None:
                raise ValueError("this network needs the slices' positions")
            plane = position.to(x)[:, None, None, None].expand(-1, 1, *x.shape[2:])
            x = torch.cat([x, plane], 1)
        logits: Tensor = self.segmentation_head(x)
        return logits


class _Transformer(nn.Module):
    def __init__(self, grid: int) -> None:
        super().__init__()
        self.embeddings = _Embeddings(grid)
        self.encoder = _Encoder()

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        tokens, skips = self.embeddings(image)
        return self.encoder(tokens), skips


class _Embeddings(nn.Module):
    def __init__(self, grid: int) -> None:
        super().__init__()
        self.hybrid_model = _ResNetV2()
        self.patch_embeddings = nn.Conv2d(1024, _WIDTH, 1)
        self.position_embeddings = nn.Parameter(torch.zeros(1, grid * grid, _WIDTH))
        self.dropout = nn.Dropout(_DROPOUT)

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        features, skips = self.hybrid_model(image)
        patches = self.patch_embeddings(features)
        places = resized_positions(self.position_embeddings, patches.shape[2], patches.shape[3])
        return self.dropout(patches.flatten(2).transpose(1, 2) + places), skips


def resized_positions(positions: Tensor, height: int, width: int) -> Tensor:
    """Position embeddings (1, n, C) of a square grid, interpolated to one of another size: (1, height * width, C)."""
    side = math.isqrt(positions.shape[1])
    if (height, width) == (side, side):
        return positions
    plane = positions.transpose(1, 2).reshape(1, -1, side, side)
    resized = F.interpolate(plane, size=(height, width), mode="bilinear", align_corners=True)
    return resized.flatten(2).transpose(1, 2)


class _ResNetV2(nn.Module):
    """The ResNet of BiT, with standardised weights and group norms, down to stride 16."""

    def __init__(self) -> None:
        super().__init__()
        self.root = nn.Sequential(
            OrderedDict(conv=_StdConv2d(3, 64, 7, 2, 3, bias=False), gn=nn.GroupNorm(32, 64, 1e-6), relu=nn.ReLU())
        )
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        channels = 64
        for number, (units, stride) in enumerate(zip(_UNITS, (1, 2, 2), strict=True)):
            width = 64 * 2**number
            stack = [_Unit(channels if n == 0 else 4 * width, width, stride if n == 0 else 1) for n in range(units)]
            blocks[f"block{number + 1}"] = nn.Sequential(
                OrderedDict((f"unit{n + 1}", unit) for n, unit in enumerate(stack))
            )
            channels = 4 * width
        self.body = nn.Sequential(blocks)

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Features at stride 16 of (B, 3, H, W), and those at strides 8, 4 and 2."""
        x = self.root(image)
        skips = [x]
        x = F.max_pool2d(x, 3, 2)
        first, second, third = self.body
        for stage, stride in ((first, 4), (second, 8)):
            x = stage(x)
            missing = [side // stride - n for side, n in zip(image.shape[2:], x.shape[2:], strict=True)]
            skips.append(F.pad(x, (0, missing[1], 0, missing[0])))  # pooling without padding loses the last line
        return third(x), skips[::-1]


class _StdConv2d(nn.Conv2d):
    """A convolution whose kernels are brought to mean 0 and variance 1 first."""

    def forward(self, x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(self.weight, dim=(1, 2, 3), keepdim=True, unbiased=False)
        weight = (self.weight - mean) / torch.sqrt(variance + 1e-5)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


class _Unit(nn.Module):
    """A bottleneck: 1 x 1, 3 x 3, 1 x 1."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        out = 4 * width
        self.conv1, self.gn1 = _StdConv2d(channels, width, 1, bias=False), nn.GroupNorm(32, width, 1e-6)
        self.conv2 = _StdConv2d(width, width, 3, stride, 1, bias=False)
        self.gn2 = nn.GroupNorm(32, width, 1e-6)
        self.conv3, self.gn3 = _StdConv2d(width, out, 1, bias=False), nn.GroupNorm(32, out, 1e-6)
        self._same = stride == 1 and channels == out
        if not self._same:
            self.downsample = _StdConv2d(channels, out, 1, stride, bias=False)
            self.gn_proj = nn.GroupNorm(out, out)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to (B, 4 width, H / stride, W / stride)."""
        shortcut = x if self._same else self.gn_proj(self.downsample(x))
        y = F.relu(self.gn1(self.conv1(x)))
        y = F.relu(self.gn2(self.conv2(y)))
        return F.relu(shortcut + self.gn3(self.conv3(y)))


class _Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.ModuleList(_Block() for _ in range(_LAYERS))
        self.encoder_norm = nn.LayerNorm(_WIDTH, 1e-6)

    def forward(self, tokens: Tensor) -> Tensor:
        for block in self.layer:
            tokens = block(tokens)
        normed: Tensor = self.encoder_norm(tokens)
        return normed


class _Block(nn.Module):
    """Attention and a perceptron, each after a norm and beside a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_norm, self.ffn_norm = nn.LayerNorm(_WIDTH, 1e-6), nn.LayerNorm(_WIDTH, 1e-6)
        self.attn, self.ffn = _Attention(), _Perceptron()

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, n, 768) to the same."""
        tokens = tokens + self.attn(self.attention_norm(tokens))
        after: Tensor = tokens + self.ffn(self.ffn_norm(tokens))
        return after


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(_WIDTH, _WIDTH) for _ in range(4))

    def forward(self, tokens: Tensor) -> Tensor:
        heads = (part(tokens).unflatten(2, (_HEADS, -1)).transpose(1, 2) for part in (self.query, self.key, self.value))
        read = F.scaled_dot_product_attention(*heads)
        out: Tensor = self.out(read.transpose(1, 2).flatten(2))
        return out


class _Perceptron(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(_WIDTH, _MLP), nn.Linear(_MLP, _WIDTH)
        self.dropout = nn.Dropout(_DROPOUT)

    def forward(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.dropout(self.fc2(self.dropout(F.gelu(self.fc1(tokens)))))
        return out


class _Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv_more = _conv(_WIDTH, 512)
        entering = (512, *_DECODED[:-1])
        self.blocks = nn.ModuleList(
            _Up(channels + skip, out) for channels, skip, out in zip(entering, _SKIPS, _DECODED, strict=True)
        )

    def forward(self, x: Tensor, skips: list[Tensor]) -> Tensor:
        """(B, 768, H/16, W/16) and features at strides 8, 4 and 2 to (B, 16, H, W)."""
        x = self.conv_more(x)
        for block, skip in zip(self.blocks, [*skips, None], strict=True):
            x = block(x, skip)
        return x


class _Up(nn.Module):
    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = _conv(channels, out), _conv(out, out)

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        out: Tensor = self.conv2(self.conv1(x if skip is None else torch.cat([x, skip], 1)))
        return out


def _conv(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU())
