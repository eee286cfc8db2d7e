"""ONNX files say what PyTorch says, at sizes that they were not made from, or are not there."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from ivos.errors import InputError
from ivos.io.download import checksum
from ivos.nets.checkpoints import BUNDLED, load_fast
from ivos.nets.export import export
from ivos.nets.fast import MemorySlice
from ivos.nets.onnx_file import Graph, write_onnx
from ivos.nets.reference import logits_of
from ivos.nets.reference_file import ReferenceInfo, load_reference, save_reference
from ivos.nets.runners import Answering
from tests.cli.runner import ivos, refused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def run(file: Path, *inputs: torch.Tensor) -> list[np.ndarray[Any, Any]]:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    answers: list[np.ndarray[Any, Any]] = session.run(None, dict(zip(names, (x.numpy() for x in inputs), strict=True)))
    return answers


def random(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(17))


def of_reference(folder: Path) -> Path:
    torch.manual_seed(0)
    info = ReferenceInfo(network="small", structures=(2, 9), names={2: "liver"}, size=64, neighbours=1)
    save_reference(info.made(), info, folder / "small.safetensors")
    return folder / "small.safetensors"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Weights of a reference network, and the folder that they were exported to."""
    folder = tmp_path_factory.mktemp("exported")
    done = ivos("weights", "export", of_reference(folder), "-o", folder / "to")
    assert done.returncode == 0, done.stderr
    assert "reference.onnx, card.json" in done.stdout
    return folder / "small.safetensors", folder / "to"


def test_a_reference_network_in_any_batch_and_size(exported: tuple[Path, Path]) -> None:
    weights, folder = exported
    network, _ = load_reference(weights)
    image, position = random(5, 9, 50, 131), random(5)
    with torch.inference_mode():
        wanted = logits_of(network, image, position)
    (found,) = run(folder / "reference.onnx", image, position)
    np.testing.assert_allclose(found, wanted, atol=1e-4 * float(wanted.abs().max()))
    assert abs(run(folder / "reference.onnx", image, 1 - position)[0] - found).max() > 1e-3


def test_the_card_is_enough_to_use_it(exported: tuple[Path, Path]) -> None:
    weights, folder = exported
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    assert card["weights"] == {"file": "small.safetensors", "sha256": checksum(weights)}
    assert card["classes"] == {"0": "background", "1": "liver", "2": "9"}
    assert card["label_ids"] == [0, 2, 9]
    (file,) = card["files"]
    assert file["sha256"] == checksum(folder / file["file"])
    assert [(one["name"], one["shape"]) for one in file["inputs"]] == [
        ("image", ["batch", 9, "height", "width"]),
        ("position", ["batch"]),
    ]
    assert file["largest_difference"] <= card["tolerance"]
    preprocessing = card["preprocessing"]
    assert preprocessing["slices_in_channels"] == [0, -1, 1]
    assert preprocessing["longer_side_pixels"] == 64
    assert len(preprocessing["windows_ct_hu"]) * len(preprocessing["slices_in_channels"]) == 9


def test_the_bundled_network_with_a_memory_of_any_length(tmp_path: Path) -> None:
    assert export(None, tmp_path / "to") == ["remember.onnx", "answer.onnx", "card.json"]
    card = json.loads((tmp_path / "to" / "card.json").read_text(encoding="utf-8"))
    assert card["weights"]["sha256"] == checksum(BUNDLED)
    network, shown = load_fast(), random(2, 3, 32, 80)
    with torch.inference_mode():
        memory = network.remember(shown[:, 2:], network.encode(shown[:, :2]))
        twice = MemorySlice(memory.keys.repeat(1, 2, 1), memory.values.repeat(1, 2, 1))
        given = (random(2, 12, 48, 48), random(2, 6), twice.keys, twice.values)
        wanted = Answering(network)(*given)
    keys, values = run(tmp_path / "to" / "remember.onnx", shown)
    np.testing.assert_allclose(keys, memory.keys, atol=1e-4)
    np.testing.assert_allclose(values, memory.values, atol=1e-4 * float(memory.values.abs().max()))
    (found,) = run(tmp_path / "to" / "answer.onnx", *given)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


class _Constant(nn.Module):
    """What tracing takes for a constant is right for the first size alone."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image * float(image.shape[1])


def test_a_file_that_says_something_else_is_refused(tmp_path: Path) -> None:
    def graph(sizes: Sequence[int]) -> Graph:
        shape = ("batch", "side")
        return Graph("one", _Constant(), {"x": shape}, {"y": shape}, [{"batch": 1, "side": side} for side in sizes])

    assert write_onnx(graph([4, 4]), tmp_path).largest_difference < 1e-6
    with pytest.raises(InputError, match=r"one: cannot be exported: .* differ by \d.*of the largest value"):
        write_onnx(graph([4, 5]), tmp_path)


def test_nothing_is_left_where_they_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ivos.nets.onnx_file.TOLERANCE", 0.0)
    weights = of_reference(tmp_path)
    with pytest.raises(InputError, match="differ"):
        export(weights, tmp_path / "to")
    assert list(tmp_path.iterdir()) == [weights]


def test_without_onnx_runtime_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"exporting needs onnxruntime: pip install 'ivos\[export\]'"):
        export(None, tmp_path / "to")
    assert list(tmp_path.iterdir()) == []


def test_other_weights_and_folders_in_use_are_refused(tmp_path: Path) -> None:
    torch.save({"a.weight": torch.zeros(1)}, tmp_path / "w.pth")
    assert "w.pth: not of a network that is exported" in refused(
        "weights", "export", tmp_path / "w.pth", "-o", tmp_path / "to"
    )
    assert "no such checkpoint file" in refused("weights", "export", tmp_path / "no.pth", "-o", tmp_path / "to")
    assert "holds something" in refused("weights", "export", "bundled", "-o", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["w.pth"]
