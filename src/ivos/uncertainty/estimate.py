"""Estimation of each structure's DSC without ground truth, by a model fitted where ground truth is known.

References:
    Kohlberger et al.: Evaluating segmentation error without ground truth, MICCAI 2012: regression on figures of the
    segmentation.
    Lei et al.: Distribution-Free Predictive Inference for Regression, JASA 2018: intervals from held-out residuals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from ivos.errors import InputError, counted
from ivos.files import replacing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_CLIPPED = 0.01  # DSC and agreements are taken as log-odds, and so kept away from 0 and 1
_PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # of the ridge, tried on scans that are left out
_COVERED = 0.9  # of the interval
_LEAST_SCANS, _LEAST_ROWS = 4, 20


@dataclass(frozen=True)
class Observation:
    """A structure of a scan whose DSC is known.

    Attributes:
        scan: its name; scans are left out as a whole when the fit is judged.
        structure: label id.
        figures: of the evidence.
        dsc: against the truth.
    """

    scan: str
    structure: int
    figures: Mapping[str, float]
    dsc: float


@dataclass(frozen=True)
class Estimate:
    """Of a structure's DSC.

    Attributes:
        dsc: the estimate.
        low: lower end of the 90 % interval.
        high: upper end.
    """

    dsc: float
    low: float
    high: float


class Estimator(BaseModel):
    """A ridge regression of the log-odds of the DSC on the evidence, with an offset for each structure.

    Attributes:
        figures: names of the figures that it goes by.
        centre: mean of each over the scans that it was fitted on.
        scale: standard deviation of each.
        slopes: of the scaled figures.
        offset: for a structure that it has not seen.
        offsets: for those that it has, beside that.
        usual_log_ml: mean logarithm of the volume of each.
        low: residual of the lower end of the interval, in log-odds.
        high: of the upper end.
        scans: how many it was fitted on.
        fitted_for: what made the segmentations that it judges.
    """

    model_config = ConfigDict(frozen=True)

    figures: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    slopes: tuple[float, ...]
    offset: float
    offsets: dict[int, float]
    usual_log_ml: dict[int, float]
    low: float
    high: float
    scans: int
    fitted_for: str

    def estimate(self, structure: int, figures: Mapping[str, float]) -> Estimate:
        """The DSC of a structure that was found.

        Args:
            structure: label id.
            figures: of its evidence; one that is missing or not a number counts as usual.
        """
        return self.around(self.odds(structure, figures))

    def odds(self, structure: int, figures: Mapping[str, float]) -> float:
        """The same as log-odds, without the interval."""
        row = _row(figures, self.figures, self.usual_log_ml.get(structure))
        terms = zip(row, self.centre, self.scale, self.slopes, strict=True)
        known = (slope * (x - centre) / scale for x, centre, scale, slope in terms if math.isfinite(x))
        return self.offset + self.offsets.get(structure, 0.0) + sum(known)

    def around(self, odds: float) -> Estimate:
        """The estimate of these log-odds, with its interval."""
        return Estimate(*(_probability(odds + residual) for residual in (0.0, self.low, self.high)))


def fit(observations: Sequence[Observation], fitted_for: str) -> tuple[Estimator, list[Estimate]]:
    """Fit an estimator.

    Args:
        observations: of structures that were found, on several scans.
        fitted_for: what made the segmentations.

    Returns:
        The estimator; and for each observation an estimate without its scan, to judge such estimators by.

    Raises:
        InputError: too few scans or structures to fit anything.
    """
    scans = sorted({o.scan for o in observations})
    if len(scans) < _LEAST_SCANS or len(observations) < _LEAST_ROWS:
        raise InputError(
            f"{counted(len(observations), 'structure')} on {counted(len(scans), 'scan')}: "
            f"at least {_LEAST_ROWS} on {_LEAST_SCANS} are required"
        )
    figures = tuple(sorted(set().union(*(o.figures for o in observations))))
    true = np.array([_log_odds(o.dsc) for o in observations])
    tried = {penalty: _cross_validate(observations, scans, figures, penalty) for penalty in _PENALTIES}
    best = min(tried, key=lambda penalty: float(np.mean((true - tried[penalty]) ** 2)))
    outside = (1 - _COVERED) / 2
    low, high = (float(np.quantile(true - tried[best], q)) for q in (outside, 1 - outside))
    interval = {"low": low, "high": high, "scans": len(scans), "fitted_for": fitted_for}
    estimator = _fit_ridge(observations, figures, best).model_copy(update=interval)
    return estimator, [estimator.around(odds) for odds in tried[best].tolist()]


def save_estimator(estimator: Estimator, path: Path) -> None:
    """Write as JSON.

    Raises:
        InputError: the folder cannot be written to.
    """
    with replacing(path) as temporary:
        temporary.write_text(estimator.model_dump_json(indent=1), encoding="utf-8")


def load_estimator(path: Path) -> Estimator:
    """An estimator from JSON.

    Raises:
        InputError: no such file, or not of an estimator.
    """
    try:
        return Estimator.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except ValidationError as error:
        raise InputError(f"{path}: not an estimator of 'ivos fit-quality'") from error


def _cross_validate(
    observations: Sequence[Observation], scans: Sequence[str], figures: tuple[str, ...], penalty: float
) -> npt.NDArray[np.float64]:
    """Log-odds that are estimated for every observation by a fit to the other scans' ones."""
    without = {scan: _fit_ridge([o for o in observations if o.scan != scan], figures, penalty) for scan in scans}
    return np.array([without[o.scan].odds(o.structure, o.figures) for o in observations])


def _fit_ridge(observations: Sequence[Observation], figures: tuple[str, ...], penalty: float) -> Estimator:
    structures = sorted({o.structure for o in observations})
    volumes = {k: [o.figures["log_ml"] for o in observations if o.structure == k] for k in structures}
    usual = {k: float(np.mean(values)) for k, values in volumes.items()}
    rows = np.array([_row(o.figures, figures, usual[o.structure]) for o in observations])
    known = np.isfinite(rows)
    counts = np.maximum(known.sum(axis=0), 1)
    centre = np.where(known, rows, 0).sum(axis=0) / counts
    spread = np.sqrt(np.where(known, (rows - centre) ** 2, 0).sum(axis=0) / counts)
    scale = np.maximum(spread, 1e-6)
    scaled = np.where(known, (rows - centre) / scale, 0)
    which = np.array([[o.structure == k for k in structures] for o in observations], float)
    columns = np.hstack([scaled, which])
    wanted = np.array([_log_odds(o.dsc) for o in observations])
    offset = float(wanted.mean())
    found = np.linalg.solve(columns.T @ columns + penalty * np.eye(columns.shape[1]), columns.T @ (wanted - offset))
    slopes, offsets = found[: len(centre)], found[len(centre) :]
    return Estimator(
        figures=figures,
        centre=tuple(centre.tolist()),
        scale=tuple(scale.tolist()),
        slopes=tuple(slopes.tolist()),
        offset=offset,
        offsets=dict(zip(structures, offsets.tolist(), strict=True)),
        usual_log_ml=usual,
        low=0.0,
        high=0.0,
        scans=0,
        fitted_for="",
    )


def _row(figures: Mapping[str, float], names: Sequence[str], usual_log_ml: float | None) -> list[float]:
    """Figures as the regression takes them; how far the volume is from the usual one comes last."""
    row = [_transform(name, figures.get(name, math.nan)) for name in names]
    log_ml = figures.get("log_ml", math.nan)
    return [*row, math.nan if usual_log_ml is None else abs(log_ml - usual_log_ml)]


def _transform(name: str, value: float) -> float:
    if not math.isfinite(value) or name == "log_ml":
        return value
    return math.log(max(value, 1e-3)) if name == "entropy" else _log_odds(value)


def _log_odds(probability: float) -> float:
    clipped = min(max(probability, _CLIPPED), 1 - _CLIPPED)
    return math.log(clipped / (1 - clipped))


def _probability(odds: float) -> float:
    return 1 / (1 + math.exp(-odds))


BAD_DSC = 0.7
"""A structure with a DSC below it is a bad one."""

_FALSE_ALARMS = 0.1  # share of good structures that may be taken for bad ones


@dataclass(frozen=True)
class EstimateAccuracy:
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
    detection_rate: float


def assess_estimates(estimates: Sequence[Estimate], dsc: Sequence[float]) -> EstimateAccuracy:
    """Estimates against the truth.

    Args:
        estimates: of structures.
        dsc: true ones of the same structures.
    """
    estimated, true = np.array([e.dsc for e in estimates]), np.array(dsc)
    inside = [e.low <= value <= e.high for e, value in zip(estimates, dsc, strict=True)]
    return EstimateAccuracy(
        pearson=float(np.corrcoef(estimated, true)[0, 1]),
        mean_error=float(np.abs(estimated - true).mean()),
        covered=float(np.mean(inside)),
        bad=int((true < BAD_DSC).sum()),
        detection_rate=detection_rate(estimated, true),
    )


def detection_rate(score: Sequence[float] | np.ndarray, dsc: Sequence[float] | np.ndarray) -> float:
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
