"""Scores as tables and as JSON; every mean says over how many figures it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ivos.cli.output import print_line, print_table
from ivos.errors import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ivos.metrics.evaluation import Score

_DECIMALS = {"dsc": 4, "nsd": 4, "hd95_mm": 3}  # DSC and NSD have as many as the FLARE22 protocol


def scores_content(settings: Mapping[str, Any], scores: Sequence[Score], failed: Mapping[str, str]) -> dict[str, Any]:
    """Settings, scores and means as JSON can hold them.

    Args:
        settings: by which the scores were computed.
        scores: of every case and structure.
        failed: cases without scores and why.
    """
    from ivos.metrics.evaluation import as_rows, by_structure, counts, deviations, finite_or_none, means

    def plain(figures: Mapping[str, float]) -> dict[str, float | None]:
        return {metric: finite_or_none(value) for metric, value in figures.items()}

    structures = [
        {
            "structure": s[0].structure,
            "name": s[0].name,
            "mean": plain(means(s)),
            "sd": plain(deviations(s)),
            "cases": counts(s),
        }
        for s in by_structure(scores)
    ]
    done = len({score.case for score in scores})
    return {
        **settings,
        "cases": done + len(failed),
        "failed": dict(failed),
        "scores": as_rows(scores),
        "mean": plain(means(scores)),
        "mean_over": {"cases": done, **counts(scores)},
        "structures": structures,
    }


def print_scores(scores: Sequence[Score], metrics: Sequence[str], cases: int) -> None:
    """A table of a case, or of what several have in common.

    Args:
        scores: of every case and structure.
        metrics: titles of DSC, NSD and HD95.
        cases: how many there were, with those that have failed.
    """
    done = len({score.case for score in scores})
    if cases > 1:
        of = counted(done, "case") if done == cases else f"{done} of {counted(cases, 'case')}"
        _print_cases(f"{of}, mean ± SD", scores, metrics)
    else:
        _print_case(scores, metrics)


def _print_case(scores: Sequence[Score], metrics: Sequence[str]) -> None:
    """A row per structure, and the mean of all."""
    rows = [(s.name, *_figures([s]), f"{s.volume_ml:.1f}", f"{s.true_volume_ml:.1f}") for s in scores]
    rows.append(("mean", *_figures(scores, of=len(scores)), "", ""))
    print_table("", ("structure", *metrics, "mL", "true mL"), rows)


def _print_cases(title: str, scores: Sequence[Score], metrics: Sequence[str]) -> None:
    """A row per structure with mean and standard deviation over the cases, and the mean of all."""
    from ivos.metrics.evaluation import by_structure, counts

    rows = []
    for group in by_structure(scores):
        cases = counts(group)["dsc"]
        rows.append((group[0].name, str(cases), *_figures(group, of=cases, spread=True)))
    every = counts(scores)["dsc"]
    cases = len({score.case for score in scores if score.dsc == score.dsc})
    rows.append(("mean", str(cases), *_figures(scores, of=every)))
    print_table(title, ("structure", "cases", *metrics), rows)
    if any("n=" in cell for row in rows for cell in row[2:]):
        print_line(f"n: number of scores with a value, where some have none; the last row is over {every} scores.")


def _figures(scores: Sequence[Score], of: int | None = None, *, spread: bool = False) -> list[str]:
    """Means of DSC, NSD and HD95, each with its number of figures where that is another one than expected."""
    from ivos.metrics.evaluation import counts, deviations, means

    mean, deviation, count = means(scores), deviations(scores), counts(scores)
    cells = []
    for metric, decimals in _DECIMALS.items():
        text = _figure(mean[metric], decimals)
        if spread:
            text += f" ± {_figure(deviation[metric], decimals)}"
        if of is not None and count[metric] != of:
            text += f" (n={count[metric]})"
        cells.append(text)
    return cells


def _figure(value: float, decimals: int) -> str:
    return "-" if value != value else f"{value:.{decimals}f}"
