"""Whole rollouts of the small network over examples, many at once: how right they are under some calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ivos.nets.fast import MemorySlice
from ivos.propagation.engines.fast import VIEWS_AT_ONCE
from ivos.propagation.tracking import shown
from ivos.training.fast.reliability import Reliability
from ivos.training.fast.rollouts import Rollout, goes_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ivos.nets.calibration import Calibration
    from ivos.nets.runners import Runner
    from ivos.propagation.tracking import Reference
    from ivos.training.fast.examples import Example
    from ivos.training.fast.rollouts import Counts

_MOST = 1.0  # what a structure's false and missed pixels count at most, as shares of its true ones


@dataclass(frozen=True)
class RolloutScores:
    """What rollouts came to: means over examples, and every pixel's logit against the truth.

    Attributes:
        dsc: DSC.
        false: false pixels as shares of the true ones, at most 1 of an example.
        missed: missed ones.
        reliability: of all pixels that were asked for.
    """

    dsc: float
    false: float
    missed: float
    reliability: Reliability


def score_rollouts(runner: Runner, examples: Sequence[Example], calibration: Calibration) -> RolloutScores:
    """Follow every example to its end.

    Args:
        runner: what computes the network, which has no calibration of its own.
        examples: to follow.
        calibration: of the network's logits.
    """
    rollouts, reliability = [Rollout(example) for example in examples], Reliability()
    remembered: dict[int, tuple[Reference, MemorySlice]] = {}  # by the reference's identity
    while under_way := [rollout for rollout in rollouts if goes_on(rollout)]:
        for first in range(0, len(under_way), VIEWS_AT_ONCE):
            _advance(runner, under_way[first : first + VIEWS_AT_ONCE], calibration, remembered, reliability)
    return RolloutScores(*_means([rollout.counts for rollout in rollouts]), reliability)


def _advance(
    runner: Runner,
    rollouts: Sequence[Rollout],
    calibration: Calibration,
    remembered: dict[int, tuple[Reference, MemorySlice]],
    reliability: Reliability,
) -> None:
    """Every rollout a slice further."""
    seen = shown([(rollout.track, rollout.piece, rollout.step()) for rollout in rollouts])
    memory = _memory(runner, [rollout.nearest() for rollout in rollouts], remembered)
    answers = runner.answer(seen.evidence, seen.scalars, memory).float()
    logits = calibration(torch.logit(answers, eps=1e-6)[:, None], seen.scalars)[:, 0]
    present = answers.amax((1, 2)) > 0
    probabilities = (logits.sigmoid() * present[:, None, None]).numpy()
    for rollout, there, logit, answer in zip(rollouts, present.tolist(), logits.numpy(), probabilities, strict=True):
        if there:
            known = rollout.ignored <= 0
            reliability.count(logit[known], rollout.truth[known] > 0.5)
        rollout.advance(answer)


def _memory(
    runner: Runner, nearest: Sequence[Sequence[Reference]], remembered: dict[int, tuple[Reference, MemorySlice]]
) -> MemorySlice:
    """The drawn slices that each rollout reads from, each of them encoded once."""
    new = {id(r): r for references in nearest for r in references if id(r) not in remembered}
    if new:
        made = runner.remember(torch.from_numpy(np.stack([reference.shown for reference in new.values()])))
        for row, reference in enumerate(new.values()):
            of_row = slice(row, row + 1)
            remembered[id(reference)] = reference, MemorySlice(made.keys[of_row], made.values[of_row])
    kept = [[remembered[id(reference)][1] for reference in references] for references in nearest]

    def joined(part: str) -> Tensor:
        return torch.cat([torch.cat([getattr(one, part) for one in parts], 1) for parts in kept])

    return MemorySlice(joined("keys"), joined("values"))


def _means(counts: Sequence[Counts]) -> tuple[float, float, float]:
    found = [(c.dsc, max(c.shared + c.missed, 1.0), c) for c in counts if c.dsc is not None]
    if not found:
        return 0.0, 0.0, 0.0
    dsc = float(np.mean([d for d, _, _ in found]))
    false = float(np.mean([min(c.false / truth, _MOST) for _, truth, c in found]))
    return dsc, false, float(np.mean([min(c.missed / truth, _MOST) for _, truth, c in found]))
