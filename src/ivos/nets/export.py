"""Weights as ONNX files with a card that says all that is needed to use them without ivos."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from torch import nn

from ivos.errors import InputError
from ivos.files import check_writable, replacing_folder
from ivos.io.download import checksum
from ivos.nets.checkpoints import BUNDLED, load_fast, read_weights
from ivos.nets.fast import EVIDENCE, KEY_CHANNELS, SCALARS, VALUE_CHANNELS
from ivos.nets.onnx_file import OPSET, TOLERANCE, Graph, write_onnx
from ivos.nets.reference import logits_of
from ivos.nets.reference_file import is_reference, load_reference
from ivos.nets.runners import Answering
from ivos.volume.windows import CT_WINDOWS_HU, MR_PERCENTILES

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from ivos.nets.fast import FastNet
    from ivos.nets.onnx_file import Shape
    from ivos.nets.reference_file import ReferenceInfo

CARD = "card.json"
_OF_FAST = ("sharpness", "presence.weight")  # names that no other network has


def export(weights: Path | None, folder: Path) -> list[str]:
    """Write a network as ONNX files and a card beside them.

    Args:
        weights: of a reference network or of the small network that propagates; None for the bundled one.
        folder: where they go; made, and new or empty.

    Returns:
        Names of the files; the card is the last one.

    Raises:
        InputError: weights that are not there, damaged or of another network; a folder that holds something or cannot
            be written to; ONNX Runtime is missing; or what it computes differs from what PyTorch does.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: exists and holds something; choose another folder with -o")
    check_writable(folder, "-o")
    source = BUNDLED if weights is None else weights
    graphs, card = _reference(source) if is_reference(source) else _fast(source)
    with replacing_folder(folder) as temporary:
        written = [write_onnx(graph, temporary) for graph in graphs]
        told = {
            "made_by": f"ivos {version('ivos')}",
            "weights": {"file": source.name, "sha256": checksum(source)},
            "opset": OPSET,
            "tolerance": TOLERANCE,
            "files": [asdict(file) | {"sha256": checksum(temporary / file.file)} for file in written],
            **card,
        }
        (temporary / CARD).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return [*(file.file for file in written), CARD]


def _fast(path: Path) -> tuple[list[Graph], dict[str, Any]]:
    if not all(name in read_weights(path) for name in _OF_FAST):
        raise InputError(
            f"{path}: not of a network that is exported: a reference network, or the one of the engine fast; bring "
            "published weights under our names first: ivos weights import"
        )
    network = load_fast(path)
    remember = Graph(
        "remember",
        _Remembering(network).eval(),
        {"shown": ("batch", 3, "height", "width")},
        {"keys": ("batch", "positions", KEY_CHANNELS), "values": ("batch", "positions", VALUE_CHANNELS)},
        _VIEWS,
    )
    answer = Graph(
        "answer",
        Answering(network).eval(),
        {
            "evidence": ("batch", len(EVIDENCE), "height", "width"),
            "scalars": ("batch", len(SCALARS)),
            "keys": ("batch", "memory", KEY_CHANNELS),
            "values": ("batch", "memory", VALUE_CHANNELS),
        },
        {"probabilities": ("batch", "height", "width")},
        _VIEWS,
    )
    return [remember, answer], {"network": "fast", **_USE_OF_FAST}


def _reference(path: Path) -> tuple[list[Graph], dict[str, Any]]:
    network, info = load_reference(path)
    # Swin cuts slices into windows, and tracing takes their number for a constant.
    sides: Shape = (info.size, info.size) if info.network == "swin" else ("height", "width")
    graph = Graph(
        "reference",
        _OfSlices(network).eval(),
        {"image": ("batch", info.channels, *sides), "position": ("batch",)},
        {"logits": ("batch", len(info.structures) + 1, *sides)},
        [{"batch": b, "height": h, "width": w} for b, h, w in ((2, 70, 100), (1, info.size, info.size), (3, 33, 64))],
    )
    return [graph], {"network": info.network, **_use_of_reference(info)}


class _OfSlices(nn.Module):
    """A reference network, with the padding and cropping around it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, position: Tensor) -> Tensor:
        return logits_of(self.network, image, position)


class _Remembering(nn.Module):
    def __init__(self, network: FastNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, shown: Tensor) -> tuple[Tensor, Tensor]:
        memory = self.network.remember(shown[:, 2:], self.network.encode(shown[:, :2]))
        return memory.keys, memory.values


def _use_of_reference(info: ReferenceInfo) -> dict[str, Any]:
    around = [0, *(sign * away for away in range(1, info.neighbours + 1) for sign in (-1, 1))]
    return {
        "classes": {0: "background"} | {k: info.names.get(n, str(n)) for k, n in enumerate(info.structures, 1)},
        "label_ids": [0, *info.structures],
        "preprocessing": {
            **_SCANS,
            "windows_ct_hu": CT_WINDOWS_HU,
            "windows_mr_percentiles": MR_PERCENTILES,
            "slices_in_channels": around,
            "channels": "the three windows of each of these slices, by their distance from the one to segment; beyond "
            "an end of the scan its last slice is seen again",
            "longer_side_pixels": info.size,
            "resizing": "averaged over areas where slices get smaller, bilinear where they get larger",
            "position": "the slice's number divided by that of the last one: 0 to 1",
        },
        "postprocessing": "resize the logits bilinearly to the slice (half-pixel centres), then softmax over axis 1",
    }


_SCANS = {
    "orientation": "axial slices from feet to head, rows from front to back, columns from the patient's right to left",
    "normalisation": "(intensity - low) / (high - low) of each window, cut to 0..1; no mean or deviation is taken off",
}

_VIEWS = (
    {"batch": 2, "height": 48, "width": 64, "memory": 7},
    {"batch": 1, "height": 96, "width": 96, "memory": 144},
    {"batch": 3, "height": 32, "width": 32, "memory": 32},
)

_USE_OF_FAST = {
    "evidence": EVIDENCE,
    "scalars": SCALARS,
    "preprocessing": {
        **_SCANS,
        "views": "a square around each structure, a batch of them; sides are multiples of 16, 96 in ivos; how evidence "
        "and scalars are computed is in ivos.propagation.tracking",
        "shown": "of a drawn slice: wide contrast, close contrast, mask",
    },
    "order": "remember for each drawn slice, once; then answer for each slice, with the keys and values of the nearest "
    "drawn slices one behind the other along axis 1",
}
