"""STCN: keys from images alone, values from images and masks, one affinity for all structures.

Legend: f16, f8, f4 are features at strides 16, 8 and 4; K counts structures, B images, C channels.

References:
    Cheng, Tai, Tang: Rethinking Space-Time Networks with Improved Memory Coverage for Efficient Video Object
    Segmentation, NeurIPS 2021.
    Woo, Park, Lee, Kweon: CBAM: Convolutional Block Attention Module, ECCV 2018.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from ivos.nets.resnet import BasicBlock, Bottleneck, ResNet

if TYPE_CHECKING:
    from torch import Tensor

KEY_CHANNELS = 64
VALUE_CHANNELS = 512


@dataclass(frozen=True)
class KeyFeatures:
    """What the key encoder sees in images (B, 3, H, W)."""

    key: Tensor  # (B, 64, H/16, W/16) to compare with memory
    content: Tensor  # (B, 512, H/16, W/16) beside the readout in the decoder
    f16: Tensor  # (B, 1024, H/16, W/16)
    f8: Tensor  # (B, 512, H/8, W/8)
    f4: Tensor  # (B, 256, H/4, W/4)


class STCN(nn.Module):
    """The published network; the memory that stands between its encoders and its decoder is not part of it.

    Args:
        attention: channel and spatial attention where image and mask features meet, as in the official network;
            the IVOS checkpoints have none.
        key_bias: biases in the key encoder's convolutions, as in the IVOS checkpoints; official ones have none there.
    """

    def __init__(self, *, attention: bool = True, key_bias: bool = False) -> None:
        super().__init__()
        self.key_encoder = ResNet(Bottleneck, (3, 4, 6), 3, conv_bias=key_bias)
        self.value_encoder = ValueEncoder(attention=attention)
        self.key_proj = nn.Conv2d(1024, KEY_CHANNELS, 3, padding=1)
        self.key_comp = nn.Conv2d(1024, 512, 3, padding=1)
        self.decoder = Decoder()

    def encode_key(self, images: Tensor) -> KeyFeatures:
        """Features of images (B, 3, H, W); H and W are multiples of 16."""
        f16, f8, f4 = self.key_encoder(images)
        return KeyFeatures(self.key_proj(f16), self.key_comp(f16), f16, f8, f4)

    def encode_value(self, image: Tensor, f16: Tensor, masks: Tensor, others: Tensor) -> Tensor:
        """Memory values of some structures in one image.

        Args:
            image: (1, 3, H, W).
            f16: the image's (1, 1024, H/16, W/16) key features.
            masks: (K, 1, H, W) probabilities of the structures.
            others: (K, 1, H, W) for each, the sum of all the others.

        Returns:
            (K, 512, H/16, W/16).
        """
        count = len(masks)
        seen = torch.cat([image.expand(count, -1, -1, -1), masks, others], 1)  # (K, 5, H, W)
        values: Tensor = self.value_encoder(seen, f16.expand(count, -1, -1, -1))
        return values

    def decode(self, readout: Tensor, features: KeyFeatures) -> Tensor:
        """Probabilities (K, H, W) of structures, each by itself, from readouts (K, 512, H/16, W/16) of one image."""
        count = len(readout)
        x = torch.cat([readout, features.content.expand(count, -1, -1, -1)], 1)  # (K, 1024, H/16, W/16)
        logits: Tensor = self.decoder(x, features.f8, features.f4)  # (K, 1, H, W)
        probabilities: Tensor = logits.squeeze(1).sigmoid()
        return probabilities


def aggregate(probabilities: Tensor) -> Tensor:
    """Independent probabilities (K, H, W) of structures into shares (K + 1, H, W) of each pixel, background first.

    The background's is that none of the structures is there; shares are the softmax of log-odds.
    """
    background = (1 - probabilities).prod(0, keepdim=True)
    everything = torch.cat([background, probabilities]).clamp(1e-7, 1 - 1e-7)
    return (everything / (1 - everything)).log().softmax(0)


class ValueEncoder(nn.Module):
    """An image with a structure's mask and the others' (5 channels), fused with the image's key features."""

    def __init__(self, *, attention: bool) -> None:
        super().__init__()
        self.resnet = ResNet(BasicBlock, (2, 2, 2), 5, conv_bias=True)
        self.fuser = FeatureFusion(256 + 1024, VALUE_CHANNELS, attention=attention)

    def forward(self, seen: Tensor, key_f16: Tensor) -> Tensor:
        """(K, 5, H, W) and (K, 1024, H/16, W/16) to (K, 512, H/16, W/16)."""
        value_f16, _, _ = self.resnet(seen)
        values: Tensor = self.fuser(torch.cat([value_f16, key_f16], 1))
        return values


class ResBlock(nn.Module):
    """Two 3 x 3 convolutions, activation before each, beside a shortcut."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.downsample = nn.Identity() if channels == out else nn.Conv2d(channels, out, 3, padding=1)
        self.conv1 = nn.Conv2d(channels, out, 3, padding=1)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to (B, out, H, W)."""
        y = self.conv2(F.relu(self.conv1(F.relu(x))))
        total: Tensor = y + self.downsample(x)
        return total


class FeatureFusion(nn.Module):
    """Two residual blocks with attention between them."""

    def __init__(self, channels: int, out: int, *, attention: bool) -> None:
        super().__init__()
        self.block1 = ResBlock(channels, out)
        self.attention = CBAM(out) if attention else None
        self.block2 = ResBlock(out, out)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to (B, out, H, W)."""
        x = self.block1(x)
        if self.attention is not None:
            x = x + self.attention(x)
        fused: Tensor = self.block2(x)
        return fused


class CBAM(nn.Module):
    """Attention over channels, then over places."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        narrow = channels // reduction
        self.channel_mlp = nn.Sequential(nn.Linear(channels, narrow), nn.ReLU(), nn.Linear(narrow, channels))
        self.spatial_conv = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) scaled by both."""
        attention = self.channel_mlp(x.mean((2, 3))) + self.channel_mlp(x.amax((2, 3)))
        x = x * attention.sigmoid()[:, :, None, None]
        pooled = torch.stack([x.amax(1), x.mean(1)], 1)  # (B, 2, H, W)
        attended: Tensor = x * self.spatial_conv(pooled).sigmoid()
        return attended


class Decoder(nn.Module):
    """Readout and content at stride 16 up to logits at full size, by way of the image's f8 and f4."""

    def __init__(self) -> None:
        super().__init__()
        self.compress = ResBlock(1024, 512)
        self.up_16_8 = UpsampleBlock(512, 512, 256)
        self.up_8_4 = UpsampleBlock(256, 256, 256)
        self.pred = nn.Conv2d(256, 1, 3, padding=1)

    def forward(self, x: Tensor, f8: Tensor, f4: Tensor) -> Tensor:
        """(K, 1024, H/16, W/16) to logits (K, 1, H, W); f8 and f4 have one image's features, shared by all K."""
        x = self.up_8_4(f4, self.up_16_8(f8, self.compress(x)))
        return _upsampled(self.pred(F.relu(x)), 4)


class UpsampleBlock(nn.Module):
    """Doubles the resolution and takes in the image's features of that resolution."""

    def __init__(self, skip_channels: int, channels: int, out: int) -> None:
        super().__init__()
        self.skip_conv = nn.Conv2d(skip_channels, channels, 3, padding=1)
        self.out_conv = ResBlock(channels, out)

    def forward(self, skip: Tensor, x: Tensor) -> Tensor:
        """(1, skip_channels, 2H, 2W) and (K, channels, H, W) to (K, out, 2H, 2W)."""
        out: Tensor = self.out_conv(self.skip_conv(skip) + _upsampled(x, 2))
        return out


def _upsampled(x: Tensor, factor: int) -> Tensor:
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
