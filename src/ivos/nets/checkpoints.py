"""Published weights: read without running anything in them, renamed to our names, loaded strictly."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from ivos.errors import InputError
from ivos.files import replacing
from ivos.nets.calibration import calibration_of
from ivos.nets.downloaded import check_downloaded
from ivos.nets.fast import FastNet
from ivos.nets.fusion import OURS, FusionNet
from ivos.nets.key_encoders import OF_TIMM
from ivos.nets.refine import RefineNet
from ivos.nets.scribble import ScribbleNet
from ivos.nets.stcn import STCN
from ivos.nets.strokes import StrokesNet
from ivos.nets.xmem import XMem

if TYPE_CHECKING:
    from torch import Tensor, nn

Weights = dict[str, "Tensor"]
Network = TypeVar("Network", bound=torch.nn.Module)

BUNDLED = Path(str(files("ivos.nets").joinpath("fast.safetensors")))
"""The weights of the small network that come with ivos."""

BUNDLED_STROKES = Path(str(files("ivos.nets").joinpath("strokes.safetensors")))
"""Those of the small network that makes masks of strokes."""

BUNDLED_FUSION = Path(str(files("ivos.nets").joinpath("fusion.safetensors")))
"""Those of the small network that fuses old and corrected masks."""

_WRAPPERS = ("state_dict", "model", "network")
_PAIR = ("model1", "model2")
_STCN_NAMES = (
    (r"^(key|value)_encoder\.model\.", r"\1_encoder."),  # IVOS
    (r"^key_encoder\.res2\.", "key_encoder.layer1."),
    (r"^value_encoder\.(?!fuser\.|resnet\.)", "value_encoder.resnet."),
    (r"^key_proj\.key_proj\.", "key_proj."),
    (r"\.attention\.ChannelGate\.mlp\.1\.", ".attention.channel_mlp.0."),
    (r"\.attention\.ChannelGate\.mlp\.3\.", ".attention.channel_mlp.2."),
    (r"\.attention\.SpatialGate\.spatial\.conv\.", ".attention.spatial_conv."),
)
_XMEM_NAMES = (
    (r"^value_encoder\.hidden_reinforce\.", "reinforce."),
    (r"^decoder\.hidden_update\.transform\.", "decoder.sensory.update.transform."),
    (r"^decoder\.hidden_update\.", "decoder.sensory."),
    (r"^key_proj\.key_proj\.", "key_proj.key."),
    (r"^key_proj\.d_proj\.", "key_proj.shrinkage."),
    (r"^key_proj\.e_proj\.", "key_proj.selection."),
    *_STCN_NAMES,
)
_IMAGE_FIRST = tuple(  # in the official network, where ours has a structure's own channels first
    f"{part}.fuser.block1.{conv}.weight" for part in ("value_encoder", "decoder") for conv in ("conv1", "downsample")
)
_OFFICIAL_XMEM = "key_proj.d_proj.weight"  # under a name that ours has not
_IMAGE_CHANNELS = 1024  # at stride 16


def load_stcn(path: Path) -> STCN:
    """The STCN network of an official checkpoint (one or several objects), an IVOS one or ours, ready for inference.

    Raises:
        InputError: no such file, not a checkpoint, one that holds code, or weights of another network.
    """
    weights = {_renamed(name, _STCN_NAMES): value for name, value in read_weights(path).items()}
    first = "value_encoder.resnet.conv1.weight"
    if first in weights and weights[first].shape[1] == 4:  # trained on one object: nothing is known of others
        weights[first] = torch.cat([weights[first], torch.zeros_like(weights[first][:, :1])], 1)
    encoders = {name.split(".")[1] for name in weights if name.startswith("key_encoder.")}
    network = STCN(
        attention=any(".attention." in name for name in weights),
        key_bias="key_encoder.conv1.bias" in weights,
        encoder=next((name for name in OF_TIMM if name in encoders), "resnet50"),
    )
    load_strictly(network, weights, path)
    return network.eval().requires_grad_(requires_grad=False)


def load_xmem(path: Path) -> XMem:
    """The XMem network of an official checkpoint or of ours, ready for inference.

    Raises:
        InputError: no such file, not a checkpoint, one that holds code, or weights of another network.
    """
    given = read_weights(path)
    weights = {_renamed(name, _XMEM_NAMES): _widened(value) for name, value in given.items()}
    if _OFFICIAL_XMEM in given:
        for name in _IMAGE_FIRST:
            if name in weights and weights[name].ndim == 4:
                weights[name] = weights[name].roll(-_IMAGE_CHANNELS, 1)
    network = XMem()
    load_strictly(network, weights, path)
    return network.eval().requires_grad_(requires_grad=False)


def load_fast(path: Path | None = None) -> FastNet:
    """The small network with the bundled weights, or with those of a file, ready for inference.

    Raises:
        InputError: no such file, not a checkpoint, weights of another network, or a calibration that is not possible.
    """
    source = BUNDLED if path is None else path
    network = _ready(FastNet(), source)
    network.calibration = calibration_of(source)
    return network


def load_scribble(path: Path) -> ScribbleNet:
    """The published scribble-to-mask network of MiVOS, ready for inference.

    Raises:
        InputError: no such file, not a checkpoint, one that holds code, or weights of another network.
    """
    return _ready(ScribbleNet(), path)


def load_strokes(path: Path | None = None) -> StrokesNet:
    """The small network that makes masks of strokes, with the bundled weights or those of a file, for inference.

    Raises:
        InputError: no such file, not a checkpoint, or weights of another network.
    """
    return _ready(StrokesNet(), BUNDLED_STROKES if path is None else path)


def load_refine(path: Path) -> RefineNet:
    """The refinement network with the weights of a file, ready for inference.

    Raises:
        InputError: no such file, not a checkpoint, or weights of another network.
    """
    return _ready(RefineNet(), path)


def load_fusion(path: Path | None = None) -> FusionNet:
    """The fusion network of MiVOS or ours from a file, or ours with the bundled weights, ready for inference.

    Raises:
        InputError: no such file, not a checkpoint, one that holds code, or weights of another network.
    """
    source = BUNDLED_FUSION if path is None else path
    return fusion_of(read_weights(source), source)


def fusion_of(weights: Weights, path: Path) -> FusionNet:
    """The same from weights that have been read.

    Raises:
        InputError: weights of another network.
    """
    ours = "final_conv.bias" in weights and weights["final_conv.bias"].numel() == OURS**2
    network = FusionNet(OURS if ours else 1)
    load_strictly(network, {name: _widened(value) for name, value in weights.items()}, path)
    return network.eval().requires_grad_(requires_grad=False)


def save_propagation(network: FastNet | STCN | StrokesNet | FusionNet | RefineNet, path: Path) -> None:
    """Write the weights of a network that propagates, or makes masks of strokes, as safetensors in float16.

    What is beyond float16 stays as it is. A calibration is kept as metadata.

    Raises:
        InputError: the folder cannot be written to, or the weights are not finite.
    """
    given = network.state_dict()
    check_finite(given, path)
    write_weights({name: _narrowed(value) for name, value in given.items()}, network, path)


def write_weights(weights: Weights, network: nn.Module, path: Path) -> None:
    """Write named tensors of a network as safetensors, with its calibration if it has one; whole or not at all.

    Raises:
        InputError: the folder cannot be written to.
    """
    from safetensors.torch import save_file

    metadata = network.calibration.metadata() if isinstance(network, FastNet) else {}
    with replacing(path) as temporary:
        save_file({name: value.contiguous() for name, value in weights.items()}, temporary, metadata or None)


def read_weights(path: Path) -> Weights:
    """The named tensors of a .safetensors file, or of a PyTorch file that holds nothing but tensors.

    Raises:
        InputError: no such file, damaged, not a checkpoint, one that would run code, or weights that are not finite.
    """
    return _table(_content(path), path)


def read_networks(path: Path) -> dict[str, Weights]:
    """The same of a file that may hold the two networks of cross pseudo supervision, as those of IVOS do.

    Returns:
        Weights by the network's name in the file, which is empty where it holds one network.

    Raises:
        InputError: as :func:`read_weights`.
    """
    content = _content(path)
    if isinstance(content, dict) and all(isinstance(content.get(name), dict) for name in _PAIR):
        return {name: _table(content[name], path) for name in _PAIR}
    return {"": _table(content, path)}


def check_finite(weights: Weights, path: Path) -> None:
    """Whether weights are numbers.

    Raises:
        InputError: some are not finite, as a training that failed leaves them.
    """
    bad = [name for name, value in weights.items() if value.is_floating_point() and not torch.isfinite(value).all()]
    if bad:
        raise InputError(
            f"{path}: {len(bad)} of {len(weights)} weights are not finite (nan or inf), as {bad[0]}: the training that "
            "they are of has failed; train again"
        )


def load_strictly(network: torch.nn.Module, weights: Weights, path: Path) -> None:
    """Load every parameter, none missing, none left over, all of the right shape.

    Raises:
        InputError: otherwise; the message names the first few.
    """
    wanted = network.state_dict()
    problems = {
        "missing": [name for name in wanted if name not in weights],
        "unknown": [name for name in weights if name not in wanted],
        "of another shape": [n for n, v in weights.items() if n in wanted and wanted[n].shape != v.shape],
    }
    found = [
        f"{len(names)} {what} ({', '.join(names[:3])}{', ...' * (len(names) > 3)})"
        for what, names in problems.items()
        if names
    ]
    if found:
        raise InputError(f"{path}: not the weights of {type(network).__name__}: {'; '.join(found)}")
    network.load_state_dict(weights, strict=True)


def _ready(network: Network, path: Path) -> Network:
    """With the weights of a file that are under its own names, for inference."""
    load_strictly(network, {name: _widened(value) for name, value in read_weights(path).items()}, path)
    return network.eval().requires_grad_(requires_grad=False)


def _widened(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value


def _narrowed(value: Tensor) -> Tensor:
    half = value.half() if value.is_floating_point() else value
    return half if not half.is_floating_point() or torch.isfinite(half).all() else value


def _renamed(name: str, names: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in names:
        name = re.sub(pattern, replacement, name)
    return name


def _content(path: Path) -> Any:
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint file")
    check_downloaded(path)
    content = _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)
    for wrapper in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    return content


def _table(content: Any, path: Path) -> Weights:
    if not isinstance(content, dict) or not content or not all(isinstance(v, torch.Tensor) for v in content.values()):
        raise InputError(f"{path}: not a checkpoint: it holds no table of named tensors")
    weights = {str(name).removeprefix("module."): value for name, value in content.items()}
    check_finite(weights, path)
    return weights


def _safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, ValueError) as error:
        raise InputError(f"{path}: not a whole safetensors file; download it again") from error


def _pickled(path: Path) -> Any:
    import pickle

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        with path.open("rb") as file:
            known = file.read(2) in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
        if known and ("Unsupported" in str(error) or "weights_only" in str(error).lower()):
            raise InputError(
                f"{path}: refused: it holds more than tensors and could run code when loaded; save its state_dict alone"
            ) from error
        raise InputError(f"{path}: not a PyTorch checkpoint, or damaged; download it again") from error
    except Exception as error:  # a damaged archive raises nearly anything
        cut = isinstance(error, EOFError) or "unexpected EOF" in str(error)
        what = "truncated: its end is cut off" if cut else "not a PyTorch checkpoint, or damaged"
        raise InputError(f"{path}: {what}; download it again") from error
