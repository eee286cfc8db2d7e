"""A calibration is fitted on rollouts: it balances false and missed pixels, and a probability means what it says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ivos.nets.calibration import Calibration
from ivos.nets.checkpoints import load_fast, save_propagation
from ivos.nets.runners import TorchRunner
from ivos.training.fast import calibrate as fitting
from ivos.training.fast.examples import Example, examples_of
from ivos.training.fast.reliability import Reliability
from ivos.training.fast.scans import synthetic
from ivos.training.fast.scoring import score_rollouts
from ivos.training.propagation_settings import PropagationSettings
from tests.cli.runner import refused


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    rng = np.random.default_rng(0)
    return [example for number in (5, 6, 7) for example in examples_of(synthetic(number), rng, 2)]


def test_the_temperature_makes_probabilities_right() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 200_000)
    truth = rng.random(len(logits)) < 1 / (1 + np.exp(-logits))
    sure = Reliability()
    sure.count(3 * logits[:100_000], truth[:100_000])
    sure.count(3 * logits[100_000:], truth[100_000:])
    assert sure.pixels == 200_000
    assert sure.temperature() == pytest.approx(3, rel=0.03)
    assert sure.calibration_error(3) < 0.01 < 0.1 < sure.calibration_error()
    right = Reliability()
    right.count(logits, truth)
    assert right.temperature() == pytest.approx(1, rel=0.03)
    assert all(abs(expected - found) < 0.02 for expected, found, pixels in right.curve() if pixels > 5000)


def test_a_shift_takes_away_and_is_fed_forward(examples: list[Example]) -> None:
    runner = TorchRunner(load_fast(), torch.device("cpu"))
    plain, strict = (score_rollouts(runner, examples, Calibration(shift)) for shift in (0.0, 1.5))
    assert strict.false < plain.false
    assert strict.missed > plain.missed
    assert plain.reliability.pixels > 0


def test_the_rollouts_are_those_of_a_network_with_that_calibration(examples: list[Example]) -> None:
    network, calibration = load_fast(), Calibration(0.5, 0.3, 1.2)
    outside = score_rollouts(TorchRunner(network, torch.device("cpu")), examples, calibration)
    network.calibration = calibration
    inside = score_rollouts(TorchRunner(network, torch.device("cpu")), examples, Calibration())
    assert outside.dsc == pytest.approx(inside.dsc, abs=0.01)
    assert outside.false == pytest.approx(inside.false, abs=0.02)


def test_a_network_that_grows_is_held_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "_VOLUMES", 2)
    monkeypatch.setattr(fitting, "_STEPS", (0.8,))
    network, begun = load_fast(), tmp_path / "grows.safetensors"
    with torch.no_grad():
        network.get_parameter("out.bias").add_(1.5)
    save_propagation(network, begun)
    found = load_fast(fitting.calibrate(PropagationSettings(init=begun), tmp_path / "run"))
    calibration = found.calibration
    assert calibration.shift + calibration.shift_with_distance >= 0.8
    for before, after in zip(load_fast(begun).parameters(), found.parameters(), strict=True):
        assert torch.equal(before, after)
    tried = json.loads((tmp_path / "run" / "calibration.json").read_text(encoding="utf-8"))["tried"]
    best = max(tried, key=lambda row: row["dsc"] - 0.1 * abs(row["fp"] - row["fn"]))
    assert (best["shift"], best["shift_with_distance"]) == (calibration.shift, calibration.shift_with_distance)
    assert best["fitted_temperature"] == pytest.approx(calibration.temperature, abs=1e-3)


def test_what_cannot_be_calibrated_is_refused(tmp_path: Path) -> None:
    run = ("train", "calibration", "-o", tmp_path / "run")
    assert "no such checkpoint" in refused(*run, f"init={tmp_path / 'nothing.safetensors'}")
    assert "engine fast" in refused(*run, "network.name=stcn", "data.scans=a")
    (tmp_path / "maps").mkdir()
    assert "held_out" in refused(*run, f"anatomy.label_maps=[{tmp_path / 'maps'}]")
    assert not (tmp_path / "run").exists()
