"""Checkpoints of either naming load strictly; anything else is refused in one line, and nothing in a file is run."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ivos.errors import InputError
from ivos.nets.checkpoints import load_stcn
from ivos.nets.stcn import STCN

Weights = dict[str, torch.Tensor]


def official(weights: Weights) -> Weights:
    """Our weights under the official names."""
    names = {}
    for name, value in weights.items():
        published = name.replace("value_encoder.resnet.", "value_encoder.").replace("key_proj.", "key_proj.key_proj.")
        published = published.replace("key_encoder.layer1.", "key_encoder.res2.")
        for ours, theirs in (("0", "1"), ("2", "3")):
            published = published.replace(f"channel_mlp.{ours}", f"ChannelGate.mlp.{theirs}")
        names[published.replace("spatial_conv", "SpatialGate.spatial.conv")] = value
    return names


@pytest.fixture(scope="module")
def network() -> STCN:
    torch.manual_seed(0)
    return STCN().eval()


def assert_same(found: STCN, expected: STCN) -> None:
    for name, value in expected.state_dict().items():
        assert torch.equal(found.state_dict()[name], value), name


@pytest.mark.parametrize("wrapping", ["plain", "state_dict", "module.", "safetensors"])
def test_official_names_in_any_usual_wrapping(network: STCN, tmp_path: Path, wrapping: str) -> None:
    weights = official(network.state_dict())
    path = tmp_path / ("weights.safetensors" if wrapping == "safetensors" else "weights.pth")
    if wrapping == "safetensors":
        save_file(weights, path)
    elif wrapping == "state_dict":
        torch.save({"state_dict": weights, "epoch": 3}, path)
    else:
        torch.save({("module." * (wrapping == "module.")) + name: value for name, value in weights.items()}, path)
    assert_same(load_stcn(path), network)


def test_single_object_weights_get_a_silent_channel_for_the_others(network: STCN, tmp_path: Path) -> None:
    weights = official(network.state_dict())
    weights["value_encoder.conv1.weight"] = weights["value_encoder.conv1.weight"][:, :4].clone()
    torch.save(weights, tmp_path / "single.pth")
    loaded = load_stcn(tmp_path / "single.pth")
    image, f16, mask = torch.rand(1, 3, 32, 32), torch.rand(1, 1024, 2, 2), torch.rand(1, 1, 32, 32)
    with torch.inference_mode():
        quiet, loud = (loaded.encode_value(image, f16, mask, others) for others in (mask * 0, mask))
    assert torch.equal(quiet, loud)


def refused(path: Path, *words: str) -> None:
    with pytest.raises(InputError) as caught:
        load_stcn(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    for word in words:
        assert word in message


def test_missing_and_unknown_parameters_are_named(network: STCN, tmp_path: Path) -> None:
    weights = official(network.state_dict())
    del weights["decoder.pred.bias"]
    weights["extra.weight"] = torch.zeros(1)
    weights["key_comp.bias"] = torch.zeros(7)
    torch.save(weights, tmp_path / "w.pth")
    refused(
        tmp_path / "w.pth",
        "1 missing (decoder.pred.bias)",
        "1 unknown (extra.weight)",
        "1 of another shape (key_comp.bias)",
    )


def test_weights_of_another_network(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 3).state_dict(), tmp_path / "w.pth")
    refused(tmp_path / "w.pth", "not the weights of STCN")


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04" + b"\0" * 100])
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_not_a_checkpoint(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name)


def test_truncated(network: STCN, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save(official(network.state_dict()), path)
    path.write_bytes(path.read_bytes()[:100_000])
    refused(path, "truncated")


def test_a_table_of_other_things(tmp_path: Path) -> None:
    torch.save({"lr": 0.1, "name": "x"}, tmp_path / "w.pth")
    refused(tmp_path / "w.pth", "no table of named tensors")


def test_not_there(tmp_path: Path) -> None:
    refused(tmp_path / "w.pth", "no such checkpoint")


class Dangerous:
    """Makes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("plain_pickle", [True, False])
def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, plain_pickle: bool) -> None:
    path, trace = tmp_path / "w.pth", tmp_path / "trace"
    content = {"a": torch.zeros(1), "b": Dangerous(trace)}
    if plain_pickle:
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path)
    refused(path)
    assert not trace.exists()


def test_numpy_arrays_in_a_checkpoint_are_refused(tmp_path: Path) -> None:
    torch.save({"a": np.zeros(3)}, tmp_path / "w.pth")
    refused(tmp_path / "w.pth", "more than tensors")
