"""Which known network a file of weights holds, and the same weights under our names."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ivos.errors import InputError, counted
from ivos.nets.checkpoints import (
    fusion_of,
    load_fast,
    load_scribble,
    load_stcn,
    load_strictly,
    load_strokes,
    load_xmem,
    read_networks,
    write_weights,
)
from ivos.nets.imagenet import load_imagenet, load_resnet
from ivos.nets.published import published
from ivos.nets.reference_file import ReferenceInfo, is_reference, load_reference, save_reference
from ivos.nets.resnet import BasicBlock, Bottleneck, ResNet
from ivos.nets.transunet import TransUNet
from ivos.volume.labels import bundled_scheme

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import nn

    from ivos.nets.checkpoints import Weights
    from ivos.nets.reference import ReferenceName

_VIT_SIZE = 224  # pixels: of the images that the published position embeddings are for
_VIT_WIDTH, _VIT_STRIDE = 768, 16
_IVOS_SIZE = 512  # pixels: in configurations and tool of IVOS; DeepLabV3+ does not say it itself
_POSITIONS, _HEAD = "transformer.embeddings.position_embeddings", "segmentation_head.0.bias"
_OUR_XMEM = "key_proj.shrinkage.weight"
_OF_CLASSIFIER = ("encoder._conv_head.", "encoder._bn1.")  # in published EfficientNets, used by no segmentation


@dataclass(frozen=True)
class RecognisedWeights:
    """A network found in a file: loaded strictly, or known by its names alone where nothing here takes it yet.

    Attributes:
        what: it is.
        used_by: the commands that take the file written, or the given one where none is.
        save: writes the weights under our names as safetensors; None where there is nothing to convert.
        part: tells it from the other network of a file that holds two.
    """

    what: str
    used_by: str
    save: Callable[[Path], None] | None = None
    part: str = ""


def recognise(path: Path) -> list[RecognisedWeights]:
    """The known networks in a file: one, or the two of cross pseudo supervision.

    Raises:
        InputError: no such file, damaged, one that would run code, not of a known network, or not all of it.
    """
    if path.suffix == ".npz":
        return [_vision_transformer(path)]
    if path.suffix == ".zip":
        raise InputError(f"{path}: an archive; unpack it, and give the files in it")
    if is_reference(path):
        return [_own_reference(path)]
    return [_network(weights, path, part) for part, weights in read_networks(path).items()]


def _network(weights: Weights, path: Path, part: str) -> RecognisedWeights:
    for telling, recognised in _BY_NAMES:
        if all(name in weights for name in telling):
            return recognised(weights, path, part)
    raise InputError(f"{path}: not of a network that ivos knows: it begins with {next(iter(weights))}")


def _stcn(weights: Weights, path: Path, part: str) -> RecognisedWeights:
    network = load_stcn(path)
    names = "official names"
    if "key_encoder.model.conv1.weight" in weights:
        names = "names of IVOS"
    elif any(name.startswith("value_encoder.resnet.") for name in weights):
        names = "our names"
    return RecognisedWeights(f"STCN under {names}", published("stcn").used_by, _saving(network, weights), part)


def _xmem(weights: Weights, path: Path, part: str) -> RecognisedWeights:
    network = load_xmem(path)
    names = "our names" if _OUR_XMEM in weights else "official names"
    return RecognisedWeights(f"XMem under {names}", published("xmem").used_by, _saving(network, weights), part)


def _fast(weights: Weights, path: Path, part: str) -> RecognisedWeights:
    network = load_fast(path)
    used_by = "ivos propagate --engine fast --checkpoint FILE, ivos train propagation init=FILE"
    return RecognisedWeights("the network of the engine fast", used_by, _saving(network, weights), part)


def _scribble(weights: Weights, path: Path, part: str) -> RecognisedWeights:
    network = load_scribble(path)
    return RecognisedWeights("scribble-to-mask of MiVOS", published("s2m").used_by, _saving(network, weights), part)


def _strokes(weights: Weights, path: Path, part: str) -> RecognisedWeights:
    network = load_strokes(path)
    return RecognisedWeights("our network for strokes", "ivos train strokes init=FILE", _saving(network, weights), part)


def _fusion(weights: Weights, path: Path, part: str) -> RecognisedWeights:
    network = fusion_of(weights, path)
    what = "fusion of MiVOS" if network.fold == 1 else "our network for fusion"
    return RecognisedWeights(what, published("fusion").used_by, _saving(network, weights), part)


def _resnet(weights: Weights, path: Path, part: str) -> RecognisedWeights:
    """Without its last stage, which nothing here uses."""
    if "layer1.0.conv3.weight" in weights:
        name, network = "ResNet-50", ResNet(Bottleneck, (3, 4, 6), 3, conv_bias=False)
    else:
        name, network = "ResNet-18", ResNet(BasicBlock, (2, 2, 2), 3, conv_bias=False)
    load_resnet(network, path)
    return RecognisedWeights(f"{name} of torchvision", published("resnet50").used_by, _saving(network, weights), part)


def _vision_transformer(path: Path) -> RecognisedWeights:
    load_imagenet(TransUNet(classes=2, size=_VIT_SIZE), path)
    return RecognisedWeights("R50-ViT-B/16 of Google", published("r50-vit-b16").used_by)


def _own_reference(path: Path) -> RecognisedWeights:
    network, info = load_reference(path)
    return _reference(network, info, f"the reference network {info.network} of ivos")


def _transunet(weights: Weights, path: Path, part: str) -> RecognisedWeights:
    places = weights[_POSITIONS].numel() // _VIT_WIDTH
    info = _info_of_ivos("transunet", weights, size=_VIT_STRIDE * math.isqrt(places))
    network = info.made()
    load_strictly(network, {f"network.{name}": value for name, value in weights.items()}, path)
    return _reference(network, info, "TransUNet of IVOS", part)


def _deeplab(weights: Weights, path: Path, part: str) -> RecognisedWeights:
    info = _info_of_ivos("deeplab", weights, size=_IVOS_SIZE)
    network = info.made()
    kept = {f"model.{name}": value for name, value in weights.items() if not name.startswith(_OF_CLASSIFIER)}
    load_strictly(network, kept, path)
    return _reference(network, info, "DeepLabV3+ of IVOS", part)


def _info_of_ivos(network: ReferenceName, weights: Weights, size: int) -> ReferenceInfo:
    """IVOS numbers classes as FLARE22 does labels; it sees one slice in three windows."""
    structures = tuple(range(1, weights[_HEAD].numel()))
    flare22 = bundled_scheme("flare22").names
    names = flare22 if structures == tuple(flare22) else {}
    return ReferenceInfo(network=network, structures=structures, names=names, size=size, neighbours=0)


def _reference(network: nn.Module, info: ReferenceInfo, what: str, part: str = "") -> RecognisedWeights:
    structures = f"{counted(len(info.structures), 'structure')} at {info.size} pixels"
    used_by = f"ivos segment --reference FILE, ivos train reference networks=[{info.network}] init=[FILE]"
    return RecognisedWeights(f"{what}, {structures}", used_by, lambda to: save_reference(network, info, to), part)


def _saving(network: nn.Module, read: Weights) -> Callable[[Path], None]:
    """Writes a network in the precision of the file that it was read from."""
    precision = next((value.dtype for value in read.values() if value.is_floating_point()), torch.float32)

    def save(path: Path) -> None:
        state = network.state_dict()
        write_weights(
            {name: v.to(precision) if v.is_floating_point() else v for name, v in state.items()}, network, path
        )

    return save


_BY_NAMES = (  # names that only this network has, among those that are not further up
    (("key_proj.d_proj.weight", "decoder.pred.weight"), _xmem),
    ((_OUR_XMEM, "decoder.pred.weight"), _xmem),
    (("key_comp.weight", "decoder.pred.weight"), _stcn),
    ((_POSITIONS, _HEAD), _transunet),
    (("encoder._conv_stem.weight", _HEAD), _deeplab),
    (("backbone.conv1.weight", "classifier.project.0.weight"), _scribble),
    (("conv1.0.weight", "conv3.2.weight", "final_conv.weight"), _fusion),
    (("sharpness", "presence.weight"), _fast),
    (("in32.0.0.weight", "up16.0.weight"), _strokes),
    (("conv1.weight", "layer1.0.conv1.weight"), _resnet),
)
