"""Threshold and temperature of the small network: applied to its logits, kept with its weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ivos.errors import InputError
from ivos.nets.calibration import Calibration
from ivos.nets.checkpoints import load_fast, save_propagation
from ivos.nets.recognise import recognise
from ivos.nets.runners import TorchRunner, runner_for

if TYPE_CHECKING:
    from ivos.nets.fast import FastNet, MemorySlice

_CPU = torch.device("cpu")


def given(network: FastNet) -> tuple[torch.Tensor, torch.Tensor, MemorySlice]:
    generator = torch.Generator().manual_seed(0)
    evidence, scalars = torch.rand(2, 12, 32, 32, generator=generator), torch.rand(2, 6, generator=generator)
    shown = torch.rand(2, 3, 32, 32, generator=generator)
    return evidence, scalars, network.remember(shown[:, 2:], network.encode(shown[:, :2]))


def test_logits_are_shifted_with_the_distance() -> None:
    logits, scalars = torch.tensor([1.0, 3.0]).reshape(2, 1, 1, 1), torch.zeros(2, 6)
    scalars[1, 0] = 1.5
    found = Calibration(shift=0.5, shift_with_distance=1.0, temperature=2.0)(logits, scalars)
    assert found.flatten().tolist() == [0.5, 0.25]  # 3 - 0.5 - 1.5 squared
    assert Calibration()(logits, scalars) is logits


def test_every_runner_applies_it() -> None:
    network = load_fast()
    evidence, scalars, memory = given(network)
    plain = torch.logit(TorchRunner(network, _CPU).answer(evidence, scalars, memory))
    network.calibration = Calibration(shift=0.4, shift_with_distance=0.6, temperature=1.5)
    wanted = (plain - 0.4 - 0.6 * scalars[:, 0, None, None] ** 2).sigmoid()
    for runner in (TorchRunner(network, _CPU), runner_for(network, _CPU)):
        np.testing.assert_allclose(runner.answer(evidence, scalars, memory), wanted, atol=0.02)
        assert runner.temperature == 1.5


def test_it_is_kept_with_the_weights(tmp_path: Path) -> None:
    network, path = load_fast(), tmp_path / "fast.safetensors"
    network.calibration = Calibration(0.25, 0.5, 1.125)
    save_propagation(network, path)
    assert load_fast(path).calibration == Calibration(0.25, 0.5, 1.125)
    save = recognise(path)[0].save
    assert save is not None
    save(tmp_path / "again.safetensors")
    assert load_fast(tmp_path / "again.safetensors").calibration == Calibration(0.25, 0.5, 1.125)


def test_weights_without_one_are_as_they_were(tmp_path: Path) -> None:
    network, path = load_fast(), tmp_path / "fast.safetensors"
    network.calibration = Calibration()
    save_propagation(network, path)
    assert load_fast(path).calibration == Calibration()
    torch.save(network.state_dict(), tmp_path / "fast.pth")
    assert load_fast(tmp_path / "fast.pth").calibration == Calibration()


@pytest.mark.parametrize(
    "text", ["{", "[1]", json.dumps({"warmth": 1}), json.dumps({"temperature": 0}), '{"shift": NaN}', '{"shift": "a"}']
)
def test_one_that_is_not_possible_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "fast.safetensors"
    save_propagation(load_fast(), path)
    save_file(load_file(path), path, {"calibration": text})
    with pytest.raises(InputError, match="calibration"):
        load_fast(path)
