"""A trained reference network in one file, with all that is needed to use it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from ivos.errors import InputError
from ivos.files import replacing
from ivos.nets.checkpoints import check_finite, load_strictly, read_weights
from ivos.nets.downloaded import check_downloaded
from ivos.nets.reference import ReferenceName, reference_network
from ivos.nets.transunet import resized_positions

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

_META = "ivos"
_WINDOWS = 3
_HEAD = re.compile(r"(^head|segmentation_head\.0|out\.conv\.conv)\.(weight|bias)$")


class ReferenceInfo(BaseModel):
    """What a reference network was trained for.

    Attributes:
        network: which one.
        structures: label ids; class ``k + 1`` is the k-th of them.
        names: of label ids.
        size: longer side of its slices in pixels.
        neighbours: slices on each side that it sees.
    """

    model_config = ConfigDict(frozen=True)

    network: ReferenceName
    structures: tuple[int, ...]
    names: dict[int, str]
    size: int
    neighbours: int

    @property
    def channels(self) -> int:
        """Of its slices: the windows of each, and of its neighbours."""
        return _WINDOWS * (2 * self.neighbours + 1)

    def made(self) -> nn.Module:
        """The network with random weights."""
        return reference_network(self.network, classes=len(self.structures) + 1, channels=self.channels, size=self.size)


def save_reference(network: nn.Module, info: ReferenceInfo, path: Path) -> None:
    """Write weights and what they are for as safetensors.

    Raises:
        InputError: the folder cannot be written to, or the weights are not finite.
    """
    from safetensors.torch import save_file

    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    check_finite(weights, path)
    with replacing(path) as temporary:
        save_file(weights, temporary, {_META: info.model_dump_json()})


def load_weights(network: nn.Module, path: Path) -> None:
    """Put trained weights into a reference network, which may be for other structures: its head stays as it is then.

    Args:
        network: with random weights.
        path: of a file as :func:`save_reference` writes it, or of a published IVOS checkpoint for TransUNet.

    Raises:
        InputError: no such file, not a checkpoint, or weights of another network.
    """
    wanted, weights = network.state_dict(), read_weights(path)
    if not any(name in wanted for name in weights):
        weights = {f"network.{name}": value for name, value in weights.items()}
    for name, value in weights.items():
        if name not in wanted or value.shape == wanted[name].shape:
            continue
        if _HEAD.search(name) and value.shape[1:] == wanted[name].shape[1:]:
            weights[name] = wanted[name]
        elif name.endswith("position_embeddings"):
            grid = round(wanted[name].shape[1] ** 0.5)
            weights[name] = resized_positions(value, grid, grid)
    load_strictly(network, weights, path)


def is_reference(path: Path) -> bool:
    """Whether a file is one that :func:`save_reference` wrote."""
    from safetensors import SafetensorError, safe_open

    if path.suffix != ".safetensors" or not path.is_file():
        return False
    try:
        with safe_open(path, "pt") as file:
            return _META in (file.metadata() or {})
    except SafetensorError:
        return False


def load_reference(path: Path) -> tuple[nn.Module, ReferenceInfo]:
    """The network of such a file, ready for inference, and what it is for.

    Raises:
        InputError: no such file, not one of a trained reference network, or damaged.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint file")
    check_downloaded(path)
    try:
        with safe_open(path, "pt") as file:
            info = ReferenceInfo.model_validate_json((file.metadata() or {})[_META])
    except (SafetensorError, KeyError, ValidationError) as error:
        raise InputError(
            f"{path}: not the file of a trained reference network; give its reference.safetensors"
        ) from error
    network = info.made()
    load_strictly(network, read_weights(path), path)
    return network.eval().requires_grad_(requires_grad=False), info
