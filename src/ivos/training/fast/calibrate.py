"""A calibration of the small network, fitted on rollouts over volumes that it has not learned from."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from ivos.errors import InputError
from ivos.files import check_writable, replacing
from ivos.nets.calibration import Calibration
from ivos.nets.checkpoints import load_fast, save_propagation
from ivos.nets.runners import runner_for
from ivos.training.anatomy.volumes import AnatomyVolumes, sources_of
from ivos.training.data.cases import chosen_cases
from ivos.training.data.store import StoredScan
from ivos.training.fast.examples import examples_of
from ivos.training.fast.scans import part_in_turn, synthetic
from ivos.training.fast.scoring import RolloutScores, score_rollouts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ivos.nets.fast import FastNet
    from ivos.nets.runners import Runner
    from ivos.training.fast.examples import Example
    from ivos.training.fast.scans import LabelledScan
    from ivos.training.propagation_settings import PropagationSettings
    from ivos.types import Progress

_VOLUMES, _PER_VOLUME = 48, 2
_FIRST = 2 * 10**9  # number of the first volume; no training and no validation of one comes to it
_STEPS = (0.4, 0.2)  # by which shifts are tried, coarse before fine
_MOST = 2.0  # of either shift
_ROUNDS = 6  # of the search with a step
_AT_LEAST = 8  # calibrations that are tried
_BALANCE = 0.1  # DSC that a difference of 1 between false and missed shares is worth


def calibrate(settings: PropagationSettings, folder: Path, progress: Progress | None = None) -> Path:
    """Fit the calibration of a network and write its weights with it.

    Args:
        settings: ``init`` is the network, the bundled one without it; ``data`` or ``anatomy`` say what is held out of
            its training; without either it is fitted on synthetic volumes.
        folder: for ``calibrated.safetensors`` and ``calibration.json``, which holds what was tried.
        progress: called with calibrations tried and how many there are at least.

    Returns:
        Where the weights are.

    Raises:
        InputError: the weights are of another network, nothing is held out, or the folder cannot be written to.
    """
    check_writable(folder, "-o")
    network = load_fast(settings.init)
    examples = _held_out(settings, folder)
    network.calibration, tried = fit(network, examples, progress)
    path = folder / "calibrated.safetensors"
    save_propagation(network, path)
    with replacing(folder / "calibration.json") as temporary:
        temporary.write_text(json.dumps({"examples": len(examples), "tried": tried}, indent=1), encoding="utf-8")
    return path


def fit(
    network: FastNet, examples: Sequence[Example], progress: Progress | None = None
) -> tuple[Calibration, list[dict[str, object]]]:
    """The shifts with which rollouts are best, and then the temperature that their logits need.

    Best is the highest DSC, less a tenth of the difference between false and missed pixels (as shares of the true
    ones), so that of calibrations that are about as right the one is taken that grows as often as it loses.

    Args:
        network: whatever its own calibration is.
        examples: held out of its training.
        progress: called with calibrations tried and how many there are at least.

    Returns:
        The calibration, and for every one that was tried its figures.
    """
    plain = copy.deepcopy(network).eval()
    plain.calibration = Calibration()
    runner, tried = runner_for(plain, torch.device("cpu")), _Search(examples, progress)
    best = Calibration()
    for step in _STEPS:
        best = tried.climbed(runner, best, step)
    found = tried.figures(runner, best).reliability.temperature()
    return replace(best, temperature=round(found, 3)), tried.table()


class _Search:
    """Calibrations and what rollouts under them came to."""

    def __init__(self, examples: Sequence[Example], progress: Progress | None) -> None:
        self._examples, self._progress = examples, progress
        self._found: dict[Calibration, RolloutScores] = {}

    def figures(self, runner: Runner, calibration: Calibration) -> RolloutScores:
        """Those of a calibration, rolled out once."""
        if calibration not in self._found:
            self._found[calibration] = score_rollouts(runner, self._examples, calibration)
            if self._progress is not None:
                self._progress(len(self._found), max(len(self._found), _AT_LEAST))
        return self._found[calibration]

    def climbed(self, runner: Runner, start: Calibration, step: float) -> Calibration:
        """From a calibration to its best neighbour, until no neighbour is better."""
        best = start
        for _ in range(_ROUNDS):
            around = [best, *_neighbours(best, step)]
            better = max(around, key=lambda c: _worth(self.figures(runner, c)))
            if better == best:
                break
            best = better
        return best

    def table(self) -> list[dict[str, object]]:
        """Everything, in the order in which it was tried."""
        return [
            asdict(calibration)
            | {"dsc": found.dsc, "fp": found.false, "fn": found.missed}
            | {"fitted_temperature": found.reliability.temperature()}
            | {"calibration_error": found.reliability.calibration_error(), "curve": found.reliability.curve()}
            for calibration, found in self._found.items()
        ]


def _neighbours(calibration: Calibration, step: float) -> list[Calibration]:
    near = [
        replace(
            calibration,
            shift=round(calibration.shift + a, 3),
            shift_with_distance=round(calibration.shift_with_distance + b, 3),
        )
        for a, b in ((step, 0), (0, step), (-step, 0), (0, -step))
    ]
    return [c for c in near if abs(c.shift) <= _MOST and 0 <= c.shift_with_distance <= _MOST]


def _worth(found: RolloutScores) -> float:
    return found.dsc - _BALANCE * abs(found.false - found.missed)


def _held_out(settings: PropagationSettings, folder: Path) -> list[Example]:
    """Examples of volumes that the settings hold out of training, phantoms among them."""
    volumes: Callable[[int], LabelledScan] = synthetic
    if settings.data is not None:
        cases = chosen_cases(settings.data, folder, settings.seed)
        if not cases.validating:
            raise InputError("data: nothing is held out to fit a calibration on; give data.fold")
        volumes = partial(part_in_turn, [StoredScan(path) for path in cases.validating])
    elif settings.anatomy is not None:
        sources = sources_of(settings.anatomy, held_out=True)
        if not sources:
            raise InputError("anatomy.held_out: no file fits; name sources to fit a calibration on")
        volumes = AnatomyVolumes(sources)
    return [
        example
        for number in range(_FIRST, _FIRST + _VOLUMES)
        for example in examples_of(volumes(number), np.random.default_rng((number, 9)), _PER_VOLUME)
    ]
