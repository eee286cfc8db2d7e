"""Scribble-to-mask as published with MiVOS: DeepLabV3+ over a ResNet-50 that sees the strokes too.

Legend: f16, f4 features at that stride.

References:
    Cheng, Tai, Tang: Modular Interactive Video Object Segmentation: Interaction-to-Mask, Propagation and
    Difference-Aware Fusion, CVPR 2021.
    Chen et al.: Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation, ECCV 2018.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from ivos.nets.resnet import Bottleneck, ResNet

if TYPE_CHECKING:
    from torch import Tensor

_RATES = (6, 12, 18)
_F16, _F4, _LOW, _WIDTH = 2048, 256, 48, 256


class _Backbone(ResNet):
    """ResNet-50 whose last stage looks wider instead of going down to stride 32."""

    def __init__(self) -> None:
        super().__init__(Bottleneck, (3, 4, 6), 6, conv_bias=False)
        self.layer4 = nn.Sequential(
            Bottleneck(1024, 512, 1, conv_bias=False), *(Bottleneck(2048, 512, 1, conv_bias=False) for _ in range(2))
        )
        for block in self.layer4[1:]:
            block.conv2 = nn.Conv2d(512, 512, 3, padding=2, dilation=2, bias=False)


class _Pooled(nn.Sequential):
    """The mean over the whole of the features, put back everywhere."""

    def __init__(self) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), *_conv(_F16, _WIDTH, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 2048, h, w) to (B, 256, h, w)."""
        height, width = x.shape[2:]
        for part in self:
            x = part(x)
        return x.expand(-1, -1, height, width)


class _ASPP(nn.Module):
    """Atrous spatial pyramid pooling."""

    def __init__(self) -> None:
        super().__init__()
        wider = (_conv(_F16, _WIDTH, 3, dilation) for dilation in _RATES)
        self.convs = nn.ModuleList([_conv(_F16, _WIDTH, 1), *wider, _Pooled()])
        self.project = nn.Sequential(*_conv(len(self.convs) * _WIDTH, _WIDTH, 1), nn.Dropout(0.1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 2048, h, w) to (B, 256, h, w)."""
        projected: Tensor = self.project(torch.cat([conv(x) for conv in self.convs], 1))
        return projected


class _Head(nn.Module):
    """The decoder of DeepLabV3+."""

    def __init__(self) -> None:
        super().__init__()
        self.project = _conv(_F4, _LOW, 1)
        self.aspp = _ASPP()
        self.classifier = nn.Sequential(*_conv(_LOW + _WIDTH, _WIDTH, 3), nn.Conv2d(_WIDTH, 1, 1))

    def forward(self, f16: Tensor, f4: Tensor) -> Tensor:
        """Mask logits (B, 1, H/4, W/4)."""
        wide = F.interpolate(self.aspp(f16), f4.shape[2:], mode="bilinear", align_corners=False)
        logits: Tensor = self.classifier(torch.cat([self.project(f4), wide], 1))
        return logits


class ScribbleNet(nn.Module):
    """A slice and what is drawn on it to the mask that is meant."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = _Backbone()
        self.classifier = _Head()

    def forward(self, x: Tensor) -> Tensor:
        """Mask logits (B, 1, H, W).

        Args:
            x: (B, 6, H, W) three windows, normalised; the mask so far, positive and negative strokes, 0..1.
        """
        f16, _, f4 = self.backbone(x)
        logits = self.classifier(self.backbone.layer4(f16), f4)
        return F.interpolate(logits, x.shape[2:], mode="bilinear", align_corners=False)


def _conv(channels: int, out: int, size: int, dilation: int = 1) -> nn.Sequential:
    """A convolution that keeps height and width, a batch norm and ReLU."""
    padding = dilation * (size // 2)
    conv = nn.Conv2d(channels, out, size, padding=padding, dilation=dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU())
