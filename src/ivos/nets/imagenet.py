"""Published ImageNet weights for encoders: R50-ViT-B/16 of Google (.npz), ResNets in torchvision's names."""

from __future__ import annotations

import re
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import torch

from ivos.errors import InputError
from ivos.nets.checkpoints import check_finite, load_strictly, read_weights
from ivos.nets.downloaded import check_downloaded
from ivos.nets.transunet import resized_positions

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    from ivos.nets.transunet import TransUNet

_ATTENTION = "MultiHeadDotProductAttention_1"
_RENAMED = (
    (r"^conv_root/kernel$", "embeddings.hybrid_model.root.conv.weight"),
    (r"^gn_root/", "embeddings.hybrid_model.root.gn."),
    (r"^block(\d)/unit(\d+)/conv_proj/kernel$", r"embeddings.hybrid_model.body.block\1.unit\2.downsample.weight"),
    (r"^block(\d)/unit(\d+)/(\w+)/", r"embeddings.hybrid_model.body.block\1.unit\2.\3."),
    (r"^embedding/", "embeddings.patch_embeddings."),
    (r"^Transformer/encoderblock_(\d+)/", r"encoder.layer.\1."),
    (r"^Transformer/encoder_norm/", "encoder.encoder_norm."),
    (rf"{_ATTENTION}/(query|key|value|out)/", r"attn.\1."),
    (r"MlpBlock_3/Dense_0/", "ffn.fc1."),
    (r"MlpBlock_3/Dense_1/", "ffn.fc2."),
    (r"LayerNorm_0/", "attention_norm."),
    (r"LayerNorm_2/", "ffn_norm."),
    (r"(kernel|scale)$", "weight"),
)
_POSITIONS = "Transformer/posembed_input/pos_embedding"
_CONV_BIAS = re.compile(r"(conv\d|downsample\.0)\.bias$")  # torchvision's convolutions have none
_NOT_WANTED = re.compile(r"^(cls$|head/|pre_logits/)")


def load_imagenet(network: TransUNet, path: Path) -> None:
    """Put published ImageNet-21k weights into the encoder; position embeddings are interpolated to its grid.

    Raises:
        InputError: no such file, not an .npz of arrays, or not the weights of R50-ViT-B/16.
    """
    if path.is_file():
        check_downloaded(path)
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such weights file") from error
    except (OSError, ValueError, AttributeError, zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"{path}: not an .npz file of weights, or damaged; download it again") from error
    wanted = network.transformer.state_dict()
    weights = {_renamed(name): _tensor(name, array) for name, array in arrays.items() if not _NOT_WANTED.match(name)}
    if _POSITIONS in arrays:
        grid = round(wanted["embeddings.position_embeddings"].shape[1] ** 0.5)
        positions = torch.from_numpy(arrays[_POSITIONS].astype(np.float32))[:, -_largest_square(arrays[_POSITIONS]) :]
        weights.pop(_renamed(_POSITIONS))
        weights["embeddings.position_embeddings"] = resized_positions(positions, grid, grid)
    for name, value in weights.items():
        if name in wanted and value.numel() == wanted[name].numel():
            weights[name] = value.reshape(wanted[name].shape)
    differing = [
        n for n in {*wanted, *weights} if n not in wanted or n not in weights or wanted[n].shape != weights[n].shape
    ]
    if differing:
        raise InputError(f"{path}: not the weights of R50-ViT-B/16: {len(differing)} differ, as {sorted(differing)[0]}")
    check_finite(weights, path)
    network.transformer.load_state_dict(weights, strict=True)


def load_resnet(network: nn.Module, path: Path) -> None:
    """Put the weights of a whole ResNet into one without its last stage; channels beside R, G, B stay random.

    Raises:
        InputError: no such file, not a checkpoint, or weights of another network.
    """
    wanted, weights = network.state_dict(), read_weights(path)
    weights = {name: value for name, value in weights.items() if not name.startswith(("layer4.", "fc."))}
    first = weights.get("conv1.weight")
    if first is not None and first.shape[1] == 3 and first.shape[0] == len(wanted["conv1.weight"]):
        weights["conv1.weight"] = torch.cat([first, wanted["conv1.weight"][:, 3:]], 1)
    weights |= {name: torch.zeros_like(wanted[name]) for name in wanted if _CONV_BIAS.search(name)}
    load_strictly(network, weights, path)


def _renamed(name: str) -> str:
    for pattern, replacement in _RENAMED:
        name = re.sub(pattern, replacement, name)
    return name


def _tensor(name: str, array: np.ndarray) -> Tensor:
    """From the order of TensorFlow: kernels of convolutions as H, W, in, out, of layers as in, out."""
    values = torch.from_numpy(array.astype(np.float32))
    if not name.endswith("kernel"):
        return values
    if _ATTENTION in name:  # (768, heads, 64), out: (heads, 64, 768)
        values = values.flatten(0, 1) if "/out/" in name else values.flatten(1)
    return values.permute(3, 2, 0, 1) if values.dim() == 4 else values.t()


def _largest_square(positions: np.ndarray) -> int:
    """How many of the embeddings (1, n, C) belong to places: all, or all but the class token's at the front."""
    return int(positions.shape[1] ** 0.5) ** 2
