"""The published scribble-to-mask network computes what it computed where it was published; others are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from ivos.errors import InputError
from ivos.nets.checkpoints import load_scribble
from ivos.nets.recognise import recognise
from ivos.nets.scribble import ScribbleNet
from tests.nets.test_published import assert_same, imported, light, stored
from tests.nets.weights import published

if TYPE_CHECKING:
    from pathlib import Path


def unfilled() -> ScribbleNet:
    """Names and shapes alone, as 40 million random numbers take their time."""
    with torch.device("meta"):
        return ScribbleNet()


@pytest.mark.parity
def test_parity(parity_folder: Path, tmp_path: Path) -> None:
    path = stored(published(parity_folder / "s2m_state_dict.json"), tmp_path / "s2m.pth")
    expected = np.load(parity_folder / "s2m_forward.npz")
    x = np.random.Generator(np.random.PCG64(int(expected["seed"]))).random((1, 6, 96, 112)).astype(np.float32)
    found = load_scribble(path)(torch.from_numpy(x)).numpy()
    assert np.abs(found - expected["out"]).max() < 1e-4


def test_it_is_recognised_and_written_under_its_own_names(tmp_path: Path) -> None:
    weights = light(unfilled())
    found, path = imported(stored({f"module.{name}": value for name, value in weights.items()}, tmp_path / "w.pth"))
    assert found.what == "scribble-to-mask of MiVOS"
    assert_same(load_scribble(path), weights)


def test_half_of_it_and_another_network_are_refused(tmp_path: Path) -> None:
    weights = light(unfilled())
    first = "backbone.conv1.weight"
    path = stored({**weights, first: weights[first][:, :4]}, tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"not the weights of ScribbleNet: 1 of another shape \(backbone.conv1"):
        load_scribble(path)
    del weights["classifier.classifier.3.bias"]
    with pytest.raises(InputError, match=r"not the weights of ScribbleNet: 1 missing \(classifier.classifier.3.bias"):
        recognise(stored(weights, tmp_path / "w.pth"))
    (tmp_path / "w.pth").write_bytes((tmp_path / "w.pth").read_bytes()[:5000])
    with pytest.raises(InputError, match="truncated"):
        load_scribble(tmp_path / "w.pth")
