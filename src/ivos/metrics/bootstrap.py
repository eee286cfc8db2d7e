"""Means over cases, drawn again with replacement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

RESAMPLES = 10_000

_AT_ONCE = 1_000  # resamples: so many rows of case counts are in memory


def resampled_means(values: Floats, *, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """The means of bootstrap resamples of cases: a case that is drawn brings all its figures.

    Args:
        values: (C, K) figures of C cases; NaN where there is none.
        resamples: B, how many.
        seed: the same draws for the same C.

    Returns:
        (B, K); NaN where no case of a resample has the figure.

    References:
        Efron and Tibshirani: An introduction to the bootstrap, 1993.
    """
    generator, cases = np.random.default_rng(seed), len(values)
    told = ~np.isnan(values)
    both = np.concatenate([np.where(told, values, 0.0), told], axis=1)
    means = np.empty((resamples, values.shape[1]))
    for start in range(0, resamples, _AT_ONCE):
        part = means[start : start + _AT_ONCE]
        counts = generator.multinomial(cases, np.full(cases, 1 / cases), size=len(part)).astype(np.float64)
        total, number = np.split(counts @ both, 2, axis=1)
        part[:] = np.divide(total, number, out=np.full_like(total, np.nan), where=number > 0)
    return means
