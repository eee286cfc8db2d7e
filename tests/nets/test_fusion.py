"""The published fusion computes what it computed where it was published; ours has a face; both load safely."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from ivos.errors import InputError
from ivos.nets.checkpoints import load_fusion, save_propagation
from ivos.nets.fusion import OURS, FusionInputs, FusionNet
from ivos.nets.recognise import recognise
from tests.nets.weights import published

if TYPE_CHECKING:
    from pathlib import Path


def drawn(seed: int, height: int, width: int) -> FusionInputs:
    """Inputs by the recipe of the parity fixture."""
    g = np.random.Generator(np.random.PCG64(seed)).random
    image, old, new, difference = (
        torch.from_numpy(g((1, channels, height, width)).astype(np.float32)) for channels in (3, 1, 1, 2)
    )
    return FusionInputs(image, old, new, difference, torch.tensor([[0.3, 0.7]]))


@pytest.mark.parity
def test_parity(parity_folder: Path, tmp_path: Path) -> None:
    torch.save(published(parity_folder / "mivos_fusion_state_dict.json"), tmp_path / "fusion.pth")
    network = load_fusion(tmp_path / "fusion.pth")
    with torch.inference_mode():
        found = network(drawn(9, 48, 64)).numpy()
    assert np.abs(found - np.load(parity_folder / "mivos_fusion_forward.npz")["out"]).max() < 1e-4


@pytest.mark.parametrize("fold", [1, OURS])
def test_what_is_saved_is_recognised_and_loads_as_it_was(tmp_path: Path, fold: int) -> None:
    network, path = FusionNet(fold).half().float(), tmp_path / "fusion.safetensors"
    save_propagation(network, path)
    loaded, given = load_fusion(path), drawn(0, 16, 24)
    assert loaded.fold == fold
    with torch.inference_mode():
        torch.testing.assert_close(loaded(given), network(given))
        assert loaded(given).shape == (1, 1, 16, 24)
    (found,) = recognise(path)
    assert found.what == ("fusion of MiVOS" if fold == 1 else "our network for fusion")
    assert "load_fusion" in (found.used_by or "")


def test_the_pixels_of_a_view_stay_where_they_are() -> None:
    """What is at a place must answer for that place, folded or not: a shifted view gives the shifted answer."""
    torch.manual_seed(0)
    network, given = FusionNet(OURS).eval(), drawn(1, 48, 48)
    with torch.inference_mode():
        straight = network(given)
        planes = (given.images, given.old, given.new, given.difference)
        images, old, new, difference = (torch.roll(plane, 2 * OURS, 3) for plane in planes)
        moved = network(FusionInputs(images, old, new, difference, given.distances))
    torch.testing.assert_close(moved[..., 20:-16], straight[..., 20 - 2 * OURS : -16 - 2 * OURS])


def test_damaged_or_other_weights_are_refused_in_one_line(tmp_path: Path) -> None:
    weights = dict(FusionNet().state_dict())
    for change, words in (
        ({"conv2.2.bias": None}, r"1 missing \(conv2.2.bias\)"),
        ({"more": torch.zeros(1)}, r"1 unknown \(more\)"),
        ({"conv1.0.weight": torch.zeros(32, 8, 3, 3)}, r"1 of another shape \(conv1.0.weight\)"),
    ):
        changed = {name: value for name, value in {**weights, **change}.items() if value is not None}
        torch.save(changed, tmp_path / "w.pth")
        for load in (load_fusion, recognise):
            with pytest.raises(InputError, match=f"w.pth: not the weights of FusionNet: {words}"):
                load(tmp_path / "w.pth")
    whole = tmp_path / "whole.safetensors"
    save_propagation(FusionNet(), whole)
    (tmp_path / "cut.safetensors").write_bytes(whole.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"cut\.safetensors: not a whole safetensors file"):
        load_fusion(tmp_path / "cut.safetensors")
    with pytest.raises(InputError, match="no such checkpoint"):
        load_fusion(tmp_path / "none.pth")
