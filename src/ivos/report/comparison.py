"""The page of a comparison of runs, and its tables as CSV."""

from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING, Any

from ivos.files import replacing
from ivos.metrics.comparison import METRICS
from ivos.metrics.evaluation import finite_or_none
from ivos.report.boxplot import Group, box_plot
from ivos.report.scan import template
from ivos.volume.labels import scheme_from_names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ivos.metrics.comparison import Comparison, Row

_LIMITS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # of an axis of differences
_GREY = "rgb(130, 130, 130)"


def write_comparison(folder: Path, comparison: Comparison) -> Path:
    """Write ``differences.csv``, ``ranking.csv`` and ``comparison.html``, a page that needs no other file.

    Args:
        folder: where they go; made if it is not there.
        comparison: of some runs.

    Returns:
        The page.

    Raises:
        InputError: the folder cannot be written to.
    """
    _write_csv(folder / "differences.csv", difference_rows(comparison))
    _write_csv(folder / "ranking.csv", ranking_rows(comparison))
    scheme = scheme_from_names({row.structure: row.name for row in comparison.rows if row.structure is not None})
    colours: dict[int | None, str] = {label.id: "rgb({}, {}, {})".format(*label.colour) for label in scheme.labels}
    by_metric = [(metric, [row for row in comparison.rows if row.metric == metric]) for metric in METRICS]
    page = template("comparison.html.j2").render(
        comparison=comparison,
        first=comparison.runs[0],
        ranking=ranking_rows(comparison),
        colours={None: _GREY, **colours},
        others=[
            {
                "name": name,
                "metrics": [
                    {
                        "name": metric.upper(),
                        "rows": [
                            (row, row.means[number + 1], row.counts[number + 1], row.differences[number])
                            for row in rows
                        ],
                        "chart": _chart(comparison, rows, number, {None: _GREY, **colours}),
                    }
                    for metric, rows in by_metric
                ],
            }
            for number, name in enumerate(comparison.runs[1:])
        ],
    )
    path = folder / "comparison.html"
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def difference_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Every structure, metric and run against the first, as plain dictionaries; None for what there is not."""
    rows = [
        {
            "metric": row.metric,
            "structure": row.structure,
            "name": row.name,
            "run": run,
            "reference": comparison.runs[0],
            "mean": row.means[number],
            "mean_over": row.counts[number],
            "reference_mean": row.means[0],
            "reference_mean_over": row.counts[0],
            "pairs": difference.pairs,
            "difference": difference.mean,
            "low": difference.low,
            "high": difference.high,
            "p": difference.p,
            "p_holm": difference.p_holm,
        }
        for row in comparison.rows
        for number, (run, difference) in enumerate(zip(comparison.runs[1:], row.differences, strict=True), start=1)
    ]
    return [{key: finite_or_none(value) for key, value in row.items()} for row in rows]


def ranking_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """The runs, the best first: place, mean rank, share of resamples in which it is first, rank in each figure."""
    ranking = comparison.ranking
    rows = [
        {
            "run": run,
            "place": ranking.place[number],
            "mean_rank": ranking.mean[number],
            "first": ranking.first[number],
            **{f"rank_{figure}": ranks[number] for figure, ranks in ranking.by_figure.items()},
        }
        for number, run in enumerate(comparison.runs)
    ]
    return sorted(rows, key=lambda row: row["place"])


def _write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _chart(comparison: Comparison, rows: Sequence[Row], number: int, colours: dict[int | None, str]) -> dict[str, Any]:
    """A box plot of the cases' differences, alike to both sides of 0."""
    groups = [
        Group(
            row.name,
            colours[row.structure],
            [
                (case, value)
                for case, value in zip(comparison.cases, row.differences[number].values.tolist(), strict=True)
                if not math.isnan(value)
            ],
        )
        for row in rows
    ]
    farthest = max((abs(value) for group in groups for _, value in group.figures), default=0.0)
    limit = next(limit for limit in _LIMITS if farthest <= limit)
    title = f"{rows[0].metric.upper()}: {comparison.runs[number + 1]} less {comparison.runs[0]}"
    return box_plot(title, groups, [limit * part / 2 for part in range(-2, 3)], decimals=3 if limit < 0.1 else 2)
