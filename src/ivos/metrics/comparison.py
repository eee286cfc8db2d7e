"""Comparison of runs: paired differences with confidence intervals, and the ranking of the FLARE22 challenge."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ivos.errors import InputError
from ivos.metrics.paired import RESAMPLES, holm, mean_of, paired_differences
from ivos.metrics.ranking import rank
from ivos.metrics.run_agreement import cases_with_other_truth, check_settings, in_one_numbering
from ivos.metrics.runs import Cost, Overlap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from ivos.metrics.paired import Difference
    from ivos.metrics.ranking import Ranking
    from ivos.metrics.runs import Run
    from ivos.volume.label_matching import By

    Floats = npt.NDArray[np.float64]

METRICS = Overlap._fields
"""What is compared of every structure."""


@dataclass(frozen=True)
class Row:
    """One structure in one metric.

    Attributes:
        metric: ``"dsc"`` or ``"nsd"``.
        structure: label id; None for every case's mean over its structures.
        name: the structure's name.
        means: of each run, over the cases that all runs have and where it has a score.
        counts: how many cases these are.
        differences: of each run but the first to the first.
    """

    metric: str
    structure: int | None
    name: str
    means: tuple[float, ...]
    counts: tuple[int, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Comparison:
    """What there is to say of several runs.

    Attributes:
        runs: their names; the first is what the others are compared with.
        cases: those that all runs have, by name; the differences are over these.
        missing: the other cases, with the runs that lack them.
        unmeasured: the runs without a file of costs; if there are any, the ranking is by DSC and NSD alone.
        rows: every metric's mean over the structures, then its structures by ascending label id.
        ranking: over the cases of all runs, those that some lack among them.
        settings: how the scores were computed, in words; empty where that is not known of any run.
        unknown_settings: the runs whose files do not say it.
        other_truth: cases in which the true volumes are not the same in all runs.
        notes: remarks on runs that were matched by structure names.
    """

    runs: tuple[str, ...]
    cases: tuple[str, ...]
    missing: Mapping[str, tuple[str, ...]]
    unmeasured: tuple[str, ...]
    rows: tuple[Row, ...]
    ranking: Ranking
    settings: str = ""
    unknown_settings: tuple[str, ...] = ()
    other_truth: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def compare(runs: Sequence[Run], *, by: By = "auto", resamples: int = RESAMPLES, seed: int = 0) -> Comparison:
    """Compare runs over the same cases with the first of them.

    Args:
        runs: two or more.
        by: what tells which label ids of the runs are the same structure.
        resamples: bootstrap resamples.
        seed: of the bootstrap. The order of the cases in the files does not matter.

    Raises:
        InputError: no case is in all runs, a structure is called differently in two of them, or their scores were
            computed with different settings.
    """
    runs, names, notes = in_one_numbering(runs, by)
    check_settings(runs)
    everywhere = sorted({case for run in runs for case in run.scores})
    cases = [case for case in everywhere if all(case in run.scores for run in runs)]
    if not cases:
        raise InputError(f"no case is in all runs: {_example(runs)}; cases are paired by name")
    unmeasured = tuple(run.name for run in runs if run.costs is None)
    return Comparison(
        runs=tuple(run.name for run in runs),
        cases=tuple(cases),
        missing={
            case: tuple(run.name for run in runs if case not in run.scores) for case in everywhere if case not in cases
        },
        unmeasured=unmeasured,
        rows=tuple(row for metric in METRICS for row in _rows(runs, cases, names, metric, resamples, seed)),
        ranking=rank(_figures(runs, everywhere, measured=not unmeasured), resamples=resamples, seed=seed),
        settings=_settings(runs),
        unknown_settings=tuple(run.name for run in runs if not run.settings),
        other_truth=tuple(cases_with_other_truth(runs)),
        notes=tuple(notes),
    )


def _settings(runs: Sequence[Run]) -> str:
    """The protocol and the tolerance of the NSD, or tolerances by structure, in words."""
    every = {structure: setting for run in runs for structure, setting in run.settings.items()}
    protocols = sorted({setting.protocol for setting in every.values()})
    tolerances = sorted({setting.tolerance_mm for setting in every.values() if setting.tolerance_mm is not None})
    parts = [f"protocol {', '.join(protocols)}"] if protocols else []
    if tolerances:
        low, high = tolerances[0], tolerances[-1]
        parts.append(f"NSD at {low:g} mm" if low == high else f"NSD at {low:g} to {high:g} mm by structure")
    return ", ".join(parts)


def _example(runs: Sequence[Run]) -> str:
    return ", ".join(f"{run.name} has '{min(run.scores)}'" for run in runs[:2])


def _rows(
    runs: Sequence[Run], cases: Sequence[str], names: Mapping[int, str], metric: str, resamples: int, seed: int
) -> list[Row]:
    """One metric's rows: the mean over the structures, then each of them."""
    values = np.array([_table(run, cases, list(names), metric) for run in runs])  # (R, C, 1 + S)
    found = [paired_differences(values[0], other, resamples=resamples, seed=seed) for other in values[1:]]
    corrected = [[of_run[0], *_correct_p_values(of_run[1:])] for of_run in found]
    heads: list[tuple[int | None, str]] = [(None, "mean"), *names.items()]
    return [
        Row(
            metric=metric,
            structure=structure,
            name=name,
            means=tuple(mean_of(of_run[:, column]) for of_run in values),
            counts=tuple(int(np.isfinite(of_run[:, column]).sum()) for of_run in values),
            differences=tuple(of_run[column] for of_run in corrected),
        )
        for column, (structure, name) in enumerate(heads)
    ]


def _table(run: Run, cases: Sequence[str], structures: Sequence[int], metric: str) -> Floats:
    """Scores (C, 1 + S): every case's mean over its structures, then each of these."""
    absent = Overlap(math.nan, math.nan)
    scores = [
        [getattr(run.scores.get(case, {}).get(structure, absent), metric) for structure in structures] for case in cases
    ]
    return np.array([[mean_of(np.array(of_case)), *of_case] for of_case in scores])


def _correct_p_values(differences: Sequence[Difference]) -> list[Difference]:
    adjusted = holm([difference.p for difference in differences])
    return [replace(difference, p_holm=p) for difference, p in zip(differences, adjusted, strict=True)]


def _figures(runs: Sequence[Run], cases: Sequence[str], *, measured: bool) -> dict[str, Floats]:
    """Figures (C, R) for the ranking. A case without scores has no cost either: failing soon is no merit."""
    figures = {
        metric: np.array([[_mean_score(run, case, metric) for run in runs] for case in cases]) for metric in METRICS
    }
    if measured:
        unknown = Cost(math.nan, math.nan, math.nan)
        costs = [
            [(run.costs or {}).get(case, unknown) if case in run.scores else unknown for run in runs] for case in cases
        ]
        figures |= {
            figure: np.array([[getattr(cost, figure) for cost in of_case] for of_case in costs])
            for figure in Cost._fields
        }
    return figures


def _mean_score(run: Run, case: str, metric: str) -> float:
    return mean_of(np.array([getattr(score, metric) for score in run.scores.get(case, {}).values()]))
