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

from ivos.nets.key_encoders import KeyChannels, KeyEncoderName, key_encoder
from ivos.nets.resnet import BasicBlock, ResNet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

KEY_CHANNELS = 64
VALUE_CHANNELS = 512

_PIXELS_AT_ONCE = 512 * 512  # at full size, of all structures together: more than that falls out of the cache


@dataclass(frozen=True)
class KeyFeatures:
    """What the key encoder sees in images (B, 3, H, W), with the channels of the published one."""

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
        encoder: the key encoder; the published one by default.
    """

    def __init__(self, *, attention: bool = True, key_bias: bool = False, encoder: KeyEncoderName = "resnet50") -> None:
        super().__init__()
        self.encoder_name = encoder
        self.key_encoder, channels = key_encoder(encoder, conv_bias=key_bias)
        self.value_encoder = ValueEncoder(channels, attention=attention)
        self.key_proj = nn.Conv2d(channels.f16, KEY_CHANNELS, 3, padding=1)
        self.key_comp = nn.Conv2d(channels.f16, 512, 3, padding=1)
        self.decoder = Decoder(channels)

    def encode_key(self, images: Tensor) -> KeyFeatures:
        """Features of images (B, 3, H, W); H and W are multiples of 16."""
        f16, f8, f4 = self.key_encoder(images)
        return KeyFeatures(self.key_proj(f16.float()), self.key_comp(f16), f16, f8, f4)

    def encode_value(self, image: Tensor, f16: Tensor, masks: Tensor, others: Tensor) -> Tensor:
        """Memory values of some structures.

        Args:
            image: (1, 3, H, W) that they are all in, or (K, 3, H, W) one for each.
            f16: the images' (1 or K, 1024, H/16, W/16) key features.
            masks: (K, 1, H, W) probabilities of the structures.
            others: (K, 1, H, W) for each, the sum of all the others.

        Returns:
            (K, 512, H/16, W/16).
        """
        values: Tensor = self.value_encoder(image, torch.cat([masks, others], 1), f16)
        return values

    def decode(self, readout: Tensor, features: KeyFeatures) -> Tensor:
        """Probabilities (K, H, W) of structures, each by itself, from readouts (K, 512, H/16, W/16).

        The features are those of one image that all are in, or of K.
        """
        logits: Tensor = self.decoder(readout, features.content, features.f8, features.f4)  # (K, 1, H, W)
        probabilities: Tensor = logits.squeeze(1).sigmoid()
        return probabilities


def aggregate(probabilities: Tensor) -> Tensor:
    """Independent probabilities (K, H, W) of structures into shares (K + 1, H, W) of each pixel, background first.

    The background's is that none of the structures is there; shares are those of the odds, as in a softmax of log-odds.
    """
    background = (1 - probabilities).prod(0, keepdim=True)
    everything = torch.cat([background, probabilities]).clamp(1e-7, 1 - 1e-7)
    odds = everything / (1 - everything)
    return odds / odds.sum(0, keepdim=True)


class ValueEncoder(nn.Module):
    """An image with a structure's mask and the others' (5 channels), fused with the image's key features.

    Args:
        channels: of the key features.
        attention: see :class:`STCN`.
        conv_bias: biases in the convolutions before batch norms.
    """

    def __init__(self, channels: KeyChannels, *, attention: bool, conv_bias: bool = True) -> None:
        super().__init__()
        self.resnet = ResNet(BasicBlock, (2, 2, 2), 5, conv_bias=conv_bias)
        self.fuser = FeatureFusion(256, channels.f16, VALUE_CHANNELS, attention=attention)

    def forward(self, image: Tensor, masks: Tensor, key_f16: Tensor) -> Tensor:
        """(1 or K, 3, H, W), (K, 2, H, W) and (1 or K, 1024, H/16, W/16) to (K, 512, H/16, W/16)."""
        first, channels = self.resnet.conv1, image.shape[1]
        of_image = F.conv2d(image, first.weight[:, :channels], first.bias, first.stride, first.padding)
        value_f16 = []
        for mask, own_image in portions(masks[0].numel() // 2, masks, of_image):
            of_mask = F.conv2d(mask, first.weight[:, channels:], None, first.stride, first.padding)
            value_f16.append(self.resnet.stages(of_mask.add_(own_image))[0])
        values: Tensor = self.fuser(torch.cat(value_f16), key_f16)
        return values


class PartlySharedConv(nn.Conv2d):
    """A 3 x 3 convolution of own and shared channels: being linear, the shared part is taken once for all.

    Args:
        own: channels that each structure has for itself; they come first.
        shared: channels of the image, the same for all structures.
        out: channels of the output.
    """

    def __init__(self, own: int, shared: int, out: int) -> None:
        super().__init__(own + shared, out, 3, padding=1)
        self.own = own

    def joint(self, x: Tensor, shared: Tensor) -> Tensor:
        """(K, own, H, W) and (1, shared, H, W) to (K, out, H, W)."""
        y = F.conv2d(x, self.weight[:, : self.own], padding=1)
        y += F.conv2d(shared, self.weight[:, self.own :], self.bias, padding=1)
        return y

    def parts(self) -> tuple[nn.Conv2d, nn.Conv2d]:
        """A convolution of the own channels without the bias, one of the shared channels with it."""
        both = []
        for weight, bias in ((self.weight[:, : self.own], None), (self.weight[:, self.own :], self.bias)):
            conv = nn.Conv2d(weight.shape[1], len(weight), 3, padding=1, bias=False)
            conv.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last), requires_grad=False)
            conv.bias = bias
            both.append(conv)
        return both[0], both[1]


class ResBlock(nn.Module):
    """Two 3 x 3 convolutions, activation before each, beside a shortcut."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.downsample = nn.Identity() if channels == out else nn.Conv2d(channels, out, 3, padding=1)
        self.conv1 = nn.Conv2d(channels, out, 3, padding=1)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to (B, out, H, W)."""
        y: Tensor = self.conv2(F.relu(self.conv1(F.relu(x)), inplace=True))
        y += self.downsample(x)
        return y


class JoiningBlock(nn.Module):
    """A residual block over a structure's own channels and the image's, as if they were one tensor."""

    def __init__(self, own: int, shared: int, out: int) -> None:
        super().__init__()
        self.downsample = PartlySharedConv(own, shared, out)
        self.conv1 = PartlySharedConv(own, shared, out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)

    def forward(self, x: Tensor, shared: Tensor) -> Tensor:
        """(K, own, H, W) and (1, shared, H, W) to (K, out, H, W)."""
        y: Tensor = self.conv2(F.relu(self.conv1.joint(F.relu(x), F.relu(shared)), inplace=True))
        y += self.downsample.joint(x, shared)
        return y


class FeatureFusion(nn.Module):
    """Two residual blocks with attention between them."""

    def __init__(self, own: int, shared: int, out: int, *, attention: bool) -> None:
        super().__init__()
        self.block1 = JoiningBlock(own, shared, out)
        self.attention = CBAM(out) if attention else None
        self.block2 = ResBlock(out, out)

    def forward(self, x: Tensor, shared: Tensor) -> Tensor:
        """(K, own, H, W) and (1, shared, H, W) to (K, out, H, W)."""
        x = self.block1(x, shared)
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

    def __init__(self, channels: KeyChannels) -> None:
        super().__init__()
        self.compress = JoiningBlock(512, 512, 512)
        self.up_16_8 = UpsampleBlock(channels.f8, 512, 256)
        self.up_8_4 = UpsampleBlock(channels.f4, 256, 256)
        self.pred = nn.Conv2d(256, 1, 3, padding=1)

    def forward(self, readout: Tensor, content: Tensor, f8: Tensor, f4: Tensor) -> Tensor:
        """(K, 512, H/16, W/16) and the features of one image or of K to logits (K, 1, H, W)."""
        skip_8, skip_4 = self.up_16_8.skip_conv(f8), self.up_8_4.skip_conv(f4)
        logits = []
        for x, own_8, own_4 in portions(16 * f4[0, 0].numel(), self.compress(readout, content), skip_8, skip_4):
            x = self.up_8_4(own_4, self.up_16_8(own_8, x))
            logits.append(self.pred(F.relu(x, inplace=True)).float())
        return upsampled(torch.cat(logits), 4)


class UpsampleBlock(nn.Module):
    """Doubles the resolution and takes in the image's features of that resolution."""

    def __init__(self, skip_channels: int, channels: int, out: int) -> None:
        super().__init__()
        self.skip_conv = nn.Conv2d(skip_channels, channels, 3, padding=1)
        self.out_conv = ResBlock(channels, out)

    def forward(self, skip: Tensor, x: Tensor) -> Tensor:
        """What skip_conv gave, (1 or K, channels, 2H, 2W), and (K, channels, H, W) to (K, out, 2H, 2W)."""
        out: Tensor = self.out_conv(upsampled(x, 2).add_(skip))
        return out


def portions(pixels: int, own: Tensor, *shared: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """As many of K structures as pass through the layers below stride 16 together, with what belongs to them.

    Args:
        pixels: of the image.
        own: (K, C, h, w).
        shared: (1, C, H, W) of one image that all are in, or (K, C, H, W).
    """
    at_once = max(1, _PIXELS_AT_ONCE // pixels) if own.device.type == "cpu" else len(own)
    for first in range(0, len(own), at_once):
        part = slice(first, first + at_once)
        yield own[part], *(each if len(each) == 1 else each[part] for each in shared)


def upsampled(x: Tensor, factor: int) -> Tensor:
    """So many times the height and width, linearly."""
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
