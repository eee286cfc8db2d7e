"""The ranking of the FLARE22 challenge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ivos.metrics.paired import RESAMPLES, resampled_means
from ivos.metrics.runs import Overlap

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

_WEIGHTS = {"dsc": 1.0, "nsd": 1.0, "seconds": 1.0, "gpu_mb_s": 0.5, "cpu_percent_s": 0.5}
_EQUAL = 1e-9  # mean ranks this close are the same: sums of the same halves in another order


@dataclass(frozen=True)
class Ranking:
    """The runs' ranks, in the order of the runs.

    Attributes:
        by_figure: mean rank over the cases in each figure that counts.
        mean: weighted mean over the figures; the lowest is best.
        place: 1 for the best; ties share the better place.
        first: share of bootstrap resamples of the cases in which the run comes first; ties share it.
    """

    by_figure: Mapping[str, tuple[float, ...]]
    mean: tuple[float, ...]
    place: tuple[int, ...]
    first: tuple[float, ...]


def rank(figures: Mapping[str, Floats], *, resamples: int = RESAMPLES, seed: int = 0) -> Ranking:
    """Rank runs as the FLARE22 challenge does: by case and figure first, then the mean of these ranks.

    On every case the runs are ranked in every figure: mean DSC over the organs, mean NSD over the organs, running
    time, the area under the GPU memory-time curve and the area under the CPU utilisation-time curve. A run's rank is
    the mean of all these, the two areas weighing half each: together they count as one figure, what a run takes of
    the machine. Runs with the same figure share the mean of their ranks. A run without a result for a case is last
    there in every figure, or shares the last ranks: else failing on the hard cases would be rewarded.

    The five figures are given on the challenge's page, ranks before means on the page of the previous year's challenge,
    which it continues. These pages do not give the weights, nor what is done about ties and missing results.

    The share of resamples in which a run comes first shows how much the order depends on the choice of cases.

    Args:
        figures: of some of ``dsc``, ``nsd``, ``seconds``, ``gpu_mb_s``, ``cpu_percent_s``, each (C, R), for C cases
            and R runs; NaN where a run has no result.
        resamples: bootstrap resamples of the cases.
        seed: of the bootstrap.

    References:
        Ma et al.: Unleashing the strengths of unlabelled data in deep learning-assisted pan-cancer abdominal organ
        quantification: the FLARE22 challenge, Lancet Digital Health 2024; https://flare22.grand-challenge.org and
        https://flare.grand-challenge.org/Evaluation. Wiesenfarth et al.: Methods and open-source toolkit for analyzing
        and visualizing challenge results, Scientific Reports 2021 (the bootstrap of rankings).
    """
    from scipy.stats import rankdata

    ranks = {figure: rankdata(_cost(figure, values), axis=1) for figure, values in figures.items()}
    of_case = np.average(list(ranks.values()), axis=0, weights=[_WEIGHTS[figure] for figure in ranks])  # (C, R)
    mean = of_case.mean(axis=0)
    resampled = resampled_means(of_case, resamples=resamples, seed=seed)
    first = resampled <= resampled.min(axis=1, keepdims=True) + _EQUAL
    return Ranking(
        by_figure={figure: tuple(values.mean(axis=0).tolist()) for figure, values in ranks.items()},
        mean=tuple(mean.tolist()),
        place=tuple(1 + int(np.count_nonzero(mean < own - _EQUAL)) for own in mean),
        first=tuple((first / first.sum(axis=1, keepdims=True)).mean(axis=0).tolist()),
    )


def _cost(figure: str, values: Floats) -> Floats:
    """Lower is better; no result is worst."""
    cost = -values if figure in Overlap._fields else values
    return np.where(np.isnan(cost), np.inf, cost)
