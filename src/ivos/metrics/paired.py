"""Paired comparison of two runs: differences, bootstrap confidence intervals, signed-rank tests."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

RESAMPLES = 10_000

_AT_ONCE = 1_000  # resamples per batch, to bound the memory of case counts


def resampled_means(values: Floats, *, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """The means of bootstrap resamples of cases: a case that is drawn brings all its figures.

    Args:
        values: (C, K) figures of C cases; NaN for missing ones.
        resamples: B, how many.
        seed: the same draws for the same C.

    Returns:
        (B, K); NaN where no case of a resample has the figure.

    References:
        Efron and Tibshirani: An introduction to the bootstrap, 1993.
    """
    generator, cases = np.random.default_rng(seed), len(values)
    known = ~np.isnan(values)
    both = np.concatenate([np.where(known, values, 0.0), known], axis=1)
    means = np.empty((resamples, values.shape[1]))
    for start in range(0, resamples, _AT_ONCE):
        part = means[start : start + _AT_ONCE]
        counts = generator.multinomial(cases, np.full(cases, 1 / cases), size=len(part)).astype(np.float64)
        total, number = np.split(counts @ both, 2, axis=1)
        part[:] = np.divide(total, number, out=np.full_like(total, np.nan), where=number > 0)
    return means


_FEWEST_PAIRS = 6  # with fewer the two-sided signed-rank test cannot come below 0.05
_DECIMALS = 9  # 0.95 - 0.94 and 0.92 - 0.91 are the same difference, and are not in binary


@dataclass(frozen=True, eq=False)
class Difference:
    """A run less the first one, for one structure and metric.

    Attributes:
        values: (C,) of each case; NaN where one of the two has no score.
        pairs: cases with a score in both.
        mean: of the pairs.
        low: lower end of the mean's 95 % confidence interval; NaN for fewer than two pairs.
        high: upper end.
        p: of the Wilcoxon signed-rank test, two-sided; NaN for fewer than 6 pairs or if all differences are 0.
        p_holm: ``p`` corrected for the number of structures; NaN for the mean over them, which is one test.
    """

    values: Floats
    pairs: int
    mean: float
    low: float
    high: float
    p: float
    p_holm: float = math.nan


def mean_of(values: Floats) -> float:
    """Mean without NaN; NaN if all are."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else math.nan


def paired_differences(
    first: Floats, other: Floats, *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[Difference, ...]:
    """``other`` less ``first``, column by column.

    The confidence interval is the percentile interval of the bootstrap over cases: a resample takes all that a case
    has, so that structures which it lacks are lacking there too.

    Args:
        first: (C, K) scores of C cases; NaN for missing ones.
        other: of the same cases.
        resamples: bootstrap resamples.
        seed: of the bootstrap.

    References:
        Wilcoxon: Individual comparisons by ranking methods, Biometrics Bulletin 1945.
    """
    values = other - first
    pairs = np.count_nonzero(~np.isnan(values), axis=0)
    bounds = np.full((2, values.shape[1]), np.nan)
    enough = pairs >= 2
    if enough.any():
        resampled = resampled_means(values[:, enough], resamples=resamples, seed=seed)
        bounds[:, enough] = np.nanpercentile(resampled, (2.5, 97.5), axis=0)
    return tuple(
        Difference(
            values=column,
            pairs=int(pairs[number]),
            mean=mean_of(column),
            low=float(bounds[0, number]),
            high=float(bounds[1, number]),
            p=_wilcoxon_p(column[~np.isnan(column)]),
        )
        for number, column in enumerate(values.T)
    )


def _wilcoxon_p(differences: Floats) -> float:
    from scipy.stats import wilcoxon

    rounded = np.round(differences, _DECIMALS)
    if len(rounded) < _FEWEST_PAIRS or not rounded.any():
        return math.nan
    return float(wilcoxon(rounded[rounded != 0]).pvalue)  # with zeros among them SciPy would approximate


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected for their number, so that the chance of any false finding among them stays as it was for one.

    Args:
        p_values: NaN where there was no test; it stays so and does not count.

    References:
        Holm: A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 1979.
    """
    tested = sorted((p, number) for number, p in enumerate(p_values) if not math.isnan(p))
    adjusted = [math.nan] * len(p_values)
    highest = 0.0
    for done, (p, number) in enumerate(tested):
        highest = max(highest, min(1.0, p * (len(tested) - done)))
        adjusted[number] = highest
    return adjusted
