"""The networks that segment single slices: what they share, and the one of each name.

References:
    Chen et al.: Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation, ECCV 2018.
    Tan, Le: EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, ICML 2019.
    Zhou et al.: UNet++: A Nested U-Net Architecture for Medical Image Segmentation, 2018.
    Hatamizadeh et al.: Swin UNETR, 2022.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

import torch
import torch.nn.functional as F
from torch import nn

from ivos.errors import InputError
from ivos.nets.blocks import Residual, conv, upsampled
from ivos.nets.transunet import TransUNet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

ReferenceName = Literal["small", "transunet", "deeplab", "unetplusplus", "swin"]
_STRIDE = 32  # of the deepest features of any of them: sides of images are multiples of it


@dataclass(frozen=True)
class NetworkSizes:
    """What a network is made for.

    Attributes:
        classes: background included.
        channels: of the slices: three windows, of each neighbouring slice too.
        size: side of the images in training.
    """

    classes: int
    channels: int
    size: int


class ReferenceNetwork(Protocol):
    """Slices to logits, in two parts, so that training may disturb what lies between."""

    def encode(self, image: Tensor) -> list[Tensor]:
        """Features of slices (B, C, H, W), the finest first."""

    def decode(self, features: list[Tensor], position: Tensor) -> Tensor:
        """Logits (B, classes, H, W) of those features; position (B,) is the slices' place in the scan, 0..1."""


def reference_network(name: ReferenceName, *, classes: int, channels: int, size: int) -> nn.Module:
    """A :class:`ReferenceNetwork` with random weights.

    Args:
        name: ``"small"`` is for CPUs; the others are the published method's and those of its field.
        classes: background included.
        channels: of the slices: three windows, of each neighbouring slice too.
        size: side of the images in training.

    Raises:
        InputError: a library that the network is of is not installed.
    """
    try:
        return NETWORKS[name](NetworkSizes(classes, channels, size))
    except ModuleNotFoundError as error:
        raise InputError(f"the network '{name}' needs {error.name}: pip install 'ivos[train]'") from error


def logits_of(network: nn.Module, image: Tensor, position: Tensor) -> Tensor:
    """Logits (B, classes, H, W) of slices of any size, padded to what the network takes and cropped again."""
    height, width = image.shape[2:]
    padded = F.pad(image, (0, -width % _STRIDE, 0, -height % _STRIDE))
    reference = cast("ReferenceNetwork", network)
    return reference.decode(reference.encode(padded), position)[..., :height, :width]


class SmallUNet(nn.Module):
    """A U-Net of residual blocks that begins at half the resolution; a million and a half parameters.

    Args:
        classes: background included.
        channels: of the slices.
        widths: at strides 2, 4, 8, 16 and 32.
    """

    def __init__(
        self, classes: int, channels: int, widths: tuple[int, int, int, int, int] = (24, 48, 96, 128, 128)
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), *_stage(4 * channels, widths[0]))
        steps = list(pairwise(widths))
        self.down = nn.ModuleList(nn.Sequential(*_stage(a, b, stride=2)) for a, b in steps)
        self.up = nn.ModuleList(nn.Sequential(*_stage(a + b, a)) for a, b in reversed(steps))
        self.head = nn.Conv2d(widths[0] + 1, 4 * classes, 3, padding=1)

    def encode(self, image: Tensor) -> list[Tensor]:
        features = [self.stem(image)]
        for step in self.down:
            features.append(step(features[-1]))
        return features

    def decode(self, features: list[Tensor], position: Tensor) -> Tensor:
        x = features[-1]
        for step, skip in zip(self.up, features[-2::-1], strict=True):
            x = step(torch.cat([skip, upsampled(x)], 1))
        plane = position.to(x)[:, None, None, None].expand(-1, 1, *x.shape[2:])
        return F.pixel_shuffle(self.head(torch.cat([x, plane], 1)), 2)


def _stage(channels: int, out: int, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    """With group norms: few slices make a batch, and labelled and unlabelled ones come together."""
    return conv(channels, out, stride, _group_norm), Residual(out, _group_norm)


def _group_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(8, channels)


class _SlicesInThree(nn.Module):
    """TransUNet, whose pretrained encoder takes three channels; more are brought to three first."""

    def __init__(self, network: TransUNet, channels: int) -> None:
        super().__init__()
        self.reduce = nn.Identity() if channels == 3 else nn.Conv2d(channels, 3, 1)
        self.network = network

    def encode(self, image: Tensor) -> list[Tensor]:
        return self.network.encode(self.reduce(image))

    def decode(self, features: list[Tensor], position: Tensor) -> Tensor:
        return self.network.decode(features, position)


class _Published(nn.Module):
    """A network of segmentation-models-pytorch."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        for name in ("_conv_head", "_bn1"):  # of the classifier; several GPUs want every weight to be used
            setattr(self.model.encoder, name, nn.Identity())

    def encode(self, image: Tensor) -> list[Tensor]:
        return list(self.model.encoder(image))

    def decode(self, features: list[Tensor], position: Tensor) -> Tensor:  # noqa: ARG002
        logits: Tensor = self.model.segmentation_head(self.model.decoder(features))
        return logits


class _Swin(nn.Module):
    """MONAI's SwinUNETR on slices."""

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        import einops  # noqa: F401 - MONAI asks for it no sooner than when it sees a slice
        from monai.networks.nets.swin_unetr import SwinUNETR

        self.model = SwinUNETR(channels, classes, feature_size=24, spatial_dims=2)

    def encode(self, image: Tensor) -> list[Tensor]:
        model, hidden = self.model, self.model.swinViT(image, self.model.normalize)
        skips = (model.encoder1(image), model.encoder2(hidden[0]), model.encoder3(hidden[1]), model.encoder4(hidden[2]))
        return [*skips, hidden[3], model.encoder10(hidden[4])]

    def decode(self, features: list[Tensor], position: Tensor) -> Tensor:  # noqa: ARG002
        model, x = self.model, features[-1]
        ups: Sequence[nn.Module] = (model.decoder5, model.decoder4, model.decoder3, model.decoder2, model.decoder1)
        for up, skip in zip(ups, features[-2::-1], strict=True):
            x = up(x, skip)
        logits: Tensor = model.out(x)
        return logits


def _of_smp(architecture: str) -> Callable[[NetworkSizes], nn.Module]:
    """A network of segmentation-models-pytorch, with the encoder of the published method."""

    def make(sizes: NetworkSizes) -> nn.Module:
        import segmentation_models_pytorch as smp

        of = getattr(smp, architecture)
        return _Published(
            of("efficientnet-b3", encoder_weights=None, in_channels=sizes.channels, classes=sizes.classes)
        )

    return make


NETWORKS: Mapping[ReferenceName, Callable[[NetworkSizes], nn.Module]] = {
    "small": lambda sizes: SmallUNet(sizes.classes, sizes.channels),
    "transunet": lambda sizes: _SlicesInThree(TransUNet(sizes.classes, size=sizes.size), sizes.channels),
    "deeplab": _of_smp("DeepLabV3Plus"),
    "unetplusplus": _of_smp("UnetPlusPlus"),
    "swin": lambda sizes: _Swin(sizes.classes, sizes.channels),
}
"""By name; each makes a :class:`ReferenceNetwork` with random weights."""
