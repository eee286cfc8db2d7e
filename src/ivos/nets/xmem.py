"""XMem: STCN's two encoders and its decoder, with keys that say how they compare, and a state that runs along.

Legend: f16, f8, f4 are features of images at strides 16, 8 and 4, g16, g8, g4 those of structures; K counts structures,
B images, C channels; h is the sensory memory, a state that each structure carries from slice to slice.

References:
    Cheng, Schwing: XMem: Long-Term Video Object Segmentation with an Atkinson-Shiffrin Memory Model, ECCV 2022.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from ivos.nets.key_encoders import KeyChannels
from ivos.nets.resnet import Bottleneck, ResNet
from ivos.nets.stcn import (
    KEY_CHANNELS,
    VALUE_CHANNELS,
    FeatureFusion,
    UpsampleBlock,
    ValueEncoder,
    portions,
    upsampled,
)

if TYPE_CHECKING:
    from torch import Tensor

SENSORY_CHANNELS = 64

_UPDATE_CHANNELS = 256  # of what the decoder tells the sensory memory


@dataclass(frozen=True)
class XMemFeatures:
    """What the key encoder sees in images (B, 3, H, W)."""

    key: Tensor  # (B, 64, H/16, W/16) to compare with memory
    shrinkage: Tensor  # (B, 1, H/16, W/16) at least 1: how fast likeness to this key falls off in memory
    selection: Tensor  # (B, 64, H/16, W/16) in (0, 1): how much each channel counts when this key asks
    f16: Tensor  # (B, 1024, H/16, W/16)
    f8: Tensor  # (B, 512, H/8, W/8)
    f4: Tensor  # (B, 256, H/4, W/4)


@dataclass(frozen=True)
class Decoded:
    """What the decoder says of K structures.

    Attributes:
        probabilities: (K, H, W), each structure by itself.
        sensory: (K, 64, H/16, W/16) the state after this slice; None where it was not asked for.
    """

    probabilities: Tensor
    sensory: Tensor | None


class XMem(nn.Module):
    """The published network; working and long-term memory, between its encoders and its decoder, are not part of it."""

    def __init__(self) -> None:
        super().__init__()
        channels = KeyChannels()
        self.key_encoder = ResNet(Bottleneck, (3, 4, 6), 3, conv_bias=False)
        self.key_proj = KeyProjection(channels.f16)
        self.value_encoder = ValueEncoder(channels, attention=True, conv_bias=False)
        self.reinforce = SensoryUpdate(VALUE_CHANNELS)
        self.decoder = XMemDecoder(channels)

    def encode_key(self, images: Tensor) -> XMemFeatures:
        """Features of images (B, 3, H, W); H and W are multiples of 16."""
        f16, f8, f4 = self.key_encoder(images)
        key, shrinkage, selection = self.key_proj(f16.float())
        return XMemFeatures(key, shrinkage, selection, f16, f8, f4)

    def encode_value(self, image: Tensor, f16: Tensor, masks: Tensor, others: Tensor) -> Tensor:
        """Memory values (K, 512, H/16, W/16) of some structures; see :meth:`ivos.nets.stcn.STCN.encode_value`."""
        values: Tensor = self.value_encoder(image, torch.cat([masks, others], 1), f16)
        return values

    def deep_update(self, values: Tensor, sensory: Tensor) -> Tensor:
        """The state (K, 64, H/16, W/16) of structures, refreshed by their values (K, 512, H/16, W/16) on a slice."""
        updated: Tensor = self.reinforce(values, sensory)
        return updated

    def decode(self, readout: Tensor, sensory: Tensor, features: XMemFeatures, *, update: bool) -> Decoded:
        """Masks of some structures on one image.

        Args:
            readout: (K, 512, H/16, W/16) from memory.
            sensory: (K, 64, H/16, W/16) their states before this slice.
            features: of the image.
            update: whether their states after it are wanted.
        """
        logits, after = self.decoder(readout, sensory, features, update=update)
        return Decoded(logits.squeeze(1).sigmoid(), after)


class KeyProjection(nn.Module):
    """Keys, with how they compare."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.key = nn.Conv2d(channels, KEY_CHANNELS, 3, padding=1)
        self.shrinkage = nn.Conv2d(channels, 1, 3, padding=1)
        self.selection = nn.Conv2d(channels, KEY_CHANNELS, 3, padding=1)

    def forward(self, f16: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, channels, h, w) to key (B, 64, h, w), shrinkage (B, 1, h, w) and selection (B, 64, h, w)."""
        return self.key(f16), self.shrinkage(f16).square() + 1, self.selection(f16).sigmoid()


class SensoryUpdate(nn.Module):
    """A gated recurrent unit as published: the new value does not see the gate that forgets the old one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.transform = nn.Conv2d(channels + SENSORY_CHANNELS, 3 * SENSORY_CHANNELS, 3, padding=1)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """What came, (K, channels, h, w), and the state (K, 64, h, w), which stays in float32, to the next one."""
        forget, update, new = self.transform(torch.cat([x, h.to(x.dtype)], 1)).float().chunk(3, 1)
        update = update.sigmoid()
        after: Tensor = forget.sigmoid() * h * (1 - update) + update * new.tanh()
        return after


class DecoderUpdate(nn.Module):
    """The sensory memory's update by what the decoder holds at all strides."""

    def __init__(self) -> None:
        super().__init__()
        self.g16_conv = nn.Conv2d(512, _UPDATE_CHANNELS, 1)
        self.g8_conv = nn.Conv2d(256, _UPDATE_CHANNELS, 1)
        self.g4_conv = nn.Conv2d(256 + 1, _UPDATE_CHANNELS, 1)
        self.update = SensoryUpdate(_UPDATE_CHANNELS)

    def forward(self, g: tuple[Tensor, Tensor, Tensor], logits: Tensor, h: Tensor) -> Tensor:
        """Features at strides 16, 8 and 4, logits (K, 1, H/4, W/4) and the state, to the next state (K, 64, h, w)."""
        g16, g8, g4 = g
        x = self.g16_conv(g16) + self.g8_conv(F.avg_pool2d(g8, 2))
        x = x + self.g4_conv(torch.cat([F.avg_pool2d(g4, 4), F.avg_pool2d(logits, 4)], 1))
        after: Tensor = self.update(x, h)
        return after


class XMemDecoder(nn.Module):
    """Readout, state and the image's features at stride 16 up to logits at full size, by way of f8 and f4."""

    def __init__(self, channels: KeyChannels) -> None:
        super().__init__()
        self.fuser = FeatureFusion(VALUE_CHANNELS + SENSORY_CHANNELS, channels.f16, 512, attention=True)
        self.up_16_8 = UpsampleBlock(channels.f8, 512, 256)
        self.up_8_4 = UpsampleBlock(channels.f4, 256, 256)
        self.pred = nn.Conv2d(256, 1, 3, padding=1)
        self.sensory = DecoderUpdate()

    def forward(
        self, readout: Tensor, sensory: Tensor, features: XMemFeatures, *, update: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Logits (K, 1, H, W) and, if it is wanted, the state after this slice; see :meth:`XMem.decode`."""
        g16 = self.fuser(torch.cat([readout, sensory.to(readout.dtype)], 1), features.f16)
        skip_8, skip_4 = self.up_16_8.skip_conv(features.f8), self.up_8_4.skip_conv(features.f4)
        pixels = 16 * features.f4[0, 0].numel()
        logits, states = [], []
        for own_16, h, own_8, own_4 in portions(pixels, g16, sensory, skip_8, skip_4):
            g8 = self.up_16_8(own_8, own_16)
            g4 = self.up_8_4(own_4, g8)
            found = self.pred(F.relu(g4))
            logits.append(found.float())
            if update:
                states.append(self.sensory((own_16, g8, g4), found, h))
        return upsampled(torch.cat(logits), 4), torch.cat(states) if update else None
