"""How well estimates of the DSC do where the truth is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivos.uncertainty.estimate import Estimate

BAD_DSC = 0.7
"""A structure with a DSC below it is a bad one."""

_FALSE_ALARMS = 0.1  # share of good structures that may be taken for bad ones


@dataclass(frozen=True)
class Quality:
    """How well estimates do.

    Attributes:
        pearson: correlation with the true DSC.
        mean_error: mean absolute error.
        covered: share of true DSCs within the interval, which is made for 90 %.
        bad: how many structures are bad.
        caught: share of those whose estimate is below that of nine in ten good ones; NaN where none is bad.
    """

    pearson: float
    mean_error: float
    covered: float
    bad: int
    caught: float


def quality(estimates: Sequence[Estimate], dsc: Sequence[float]) -> Quality:
    """Estimates against the truth.

    Args:
        estimates: of structures.
        dsc: true ones of the same structures.
    """
    estimated, true = np.array([e.dsc for e in estimates]), np.array(dsc)
    inside = [e.low <= value <= e.high for e, value in zip(estimates, dsc, strict=True)]
    return Quality(
        pearson=float(np.corrcoef(estimated, true)[0, 1]),
        mean_error=float(np.abs(estimated - true).mean()),
        covered=float(np.mean(inside)),
        bad=int((true < BAD_DSC).sum()),
        caught=caught(estimated, true),
    )


def caught(score: Sequence[float] | np.ndarray, dsc: Sequence[float] | np.ndarray) -> float:
    """Share of bad structures that a score finds at a false alarm for every tenth good one; NaN where none is bad.

    Args:
        score: higher is better.
        dsc: true ones of the same structures.
    """
    scores, bad = np.asarray(score, float), np.asarray(dsc) < BAD_DSC
    if not bad.any():
        return math.nan
    alarm = np.quantile(scores[~bad], _FALSE_ALARMS) if (~bad).any() else math.inf
    return float((scores[bad] < alarm).mean())
