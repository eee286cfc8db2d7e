"""Encoders of slices for memory networks: the published one, and lighter or other ones of timm.

References:
    Howard et al.: Searching for MobileNetV3, ICCV 2019.
    Liu et al.: Swin Transformer: Hierarchical Vision Transformer using Shifted Windows, ICCV 2021.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from torch import nn

from ivos.errors import InputError
from ivos.nets.resnet import Bottleneck, ResNet

if TYPE_CHECKING:
    from torch import Tensor

_TimmName = Literal["mobilenetv3", "swin"]
KeyEncoderName = Literal["resnet50"] | _TimmName
OF_TIMM: tuple[_TimmName, ...] = get_args(_TimmName)
_STAGES_TO_16 = 5  # of MobileNetV3


@dataclass(frozen=True)
class KeyChannels:
    """Channels of an encoder's features at strides 16, 8 and 4."""

    f16: int = 1024
    f8: int = 512
    f4: int = 256


def key_encoder(name: KeyEncoderName, *, conv_bias: bool = False) -> tuple[nn.Module, KeyChannels]:
    """An encoder of images (B, 3, H, W) to features at strides 16, 8 and 4, with random weights, and its channels.

    Args:
        name: which.
        conv_bias: biases in the convolutions of ``"resnet50"``, as in the IVOS checkpoints.

    Raises:
        InputError: timm is not installed, and the encoder is one of its.
    """
    if name == "resnet50":
        return ResNet(Bottleneck, (3, 4, 6), 3, conv_bias=conv_bias), KeyChannels()
    encoder = _OfTimm(name)
    return encoder, encoder.channels


class _OfTimm(nn.Module):
    """The features of one of timm's networks, under its own name, so that weights say which one it is."""

    def __init__(self, name: _TimmName) -> None:
        super().__init__()
        try:
            import timm
        except ModuleNotFoundError as error:
            raise InputError(f"the key encoder '{name}' needs {error.name}: pip install 'ivos[train]'") from error
        self._name, self._channels_last = name, name == "swin"
        model: Any
        if name == "swin":
            model = timm.create_model(
                "swin_tiny_patch4_window7_224", features_only=True, out_indices=(0, 1, 2), strict_img_size=False
            )
        else:
            model = timm.create_model("mobilenetv3_large_100", features_only=True, out_indices=(1, 2, 3))
            model.blocks = model.blocks[:_STAGES_TO_16]  # what comes after stride 16 is never used
        self.add_module(name, model)
        f4, f8, f16 = model.feature_info.channels()
        self.channels = KeyChannels(f16, f8, f4)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features at strides 16, 8 and 4 of images (B, 3, H, W)."""
        found = getattr(self, self._name)(images)
        f4, f8, f16 = (part.permute(0, 3, 1, 2) if self._channels_last else part for part in found)
        return f16, f8, f4
