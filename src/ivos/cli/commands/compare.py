"""`ivos compare`: evaluated runs against each other."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ivos.cli import options
from ivos.cli.output import name_some, print_json, print_line, print_table
from ivos.cli.predictions import check_is_no_file
from ivos.errors import InputError, counted
from ivos.files import check_writable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivos.metrics.comparison import Comparison, Row
    from ivos.metrics.paired import Difference
    from ivos.metrics.runs import Run

_log = logging.getLogger(__name__)

_FIGURES = {"dsc": "DSC", "nsd": "NSD", "seconds": "time", "gpu_mb_s": "GPU", "cpu_percent_s": "CPU"}


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN", help="CSV files from ivos evaluate, or folders with scores.csv; NAME=PATH renames a run."
        ),
    ],
    output: Annotated[
        Path | None,
        options.output_option("--output", "-o", help="Folder for a report, differences.csv and ranking.csv."),
    ] = None,
    by: options.ByOption = "auto",
    as_json: options.JsonOption = False,
) -> None:
    """Compare runs on the same cases with the first run, structure by structure, and rank them.

    Differences have a bootstrap interval and a Wilcoxon signed-rank test. The ranking is that of the FLARE22 challenge;
    it includes time, GPU and CPU if there is an efficiency.csv next to every scores.csv. Runs that were evaluated with
    different settings are refused.
    """
    from ivos.metrics.comparison import compare as compare_runs

    if output is not None:
        check_is_no_file(output)
        check_writable(output, "-o")
    comparison = compare_runs(_read_runs(runs), by=by)
    _print_warnings(comparison)
    if output is not None:
        from ivos.report.comparison import write_comparison

        page = write_comparison(output, comparison)
    if as_json:
        print_json(_json_content(comparison))
        return
    _print_tables(comparison)
    if output is not None:
        print_line(f"Report: {page}")


def _read_runs(texts: Sequence[str]) -> list[Run]:
    from ivos.metrics.runs import read_run

    if len(texts) < 2:
        raise InputError(f"{texts[0]}: one run; give two or more to compare")
    found: list[Run] = []
    for text in texts:
        run = read_run(*_path_and_name(text))
        if any(run.name == other.name for other in found):
            raise InputError(f"{text}: two runs are called {run.name}; name one of them, like other={text}")
        found.append(run)
    return found


def _path_and_name(text: str) -> tuple[Path, str | None]:
    """A path that exists is one, even if ``=`` is in it."""
    name, separator, path = text.partition("=")
    if Path(text).exists() or not (name and separator and path):
        return Path(text), None
    return Path(path), name


def _print_warnings(comparison: Comparison) -> None:
    """Print what makes the comparison doubtful, to stderr."""
    for note in comparison.notes:
        _log.warning(note)
    if comparison.unknown_settings:
        _log.warning(
            "how %s was evaluated is not known: protocol and tolerance must be the same in all runs",
            ", ".join(comparison.unknown_settings),
        )
    if comparison.other_truth:
        _log.warning(
            "true volumes differ between the runs in %d case%s (%s): were all evaluated against the same truth?",
            len(comparison.other_truth),
            "s" * (len(comparison.other_truth) > 1),
            name_some(comparison.other_truth),
        )


def _json_content(comparison: Comparison) -> dict[str, Any]:
    from ivos.report.comparison import difference_rows, ranking_rows

    return {
        "runs": list(comparison.runs),
        "settings": comparison.settings,
        "unknown_settings": list(comparison.unknown_settings),
        "other_truth": list(comparison.other_truth),
        "cases": list(comparison.cases),
        "missing": {case: list(runs) for case, runs in comparison.missing.items()},
        "unmeasured": list(comparison.unmeasured),
        "differences": difference_rows(comparison),
        "ranking": ranking_rows(comparison),
    }


def _print_tables(comparison: Comparison) -> None:
    cases = counted(len(comparison.cases), "case")
    if comparison.settings:
        print_line(f"Evaluated by {comparison.settings}.")
    for metric in dict.fromkeys(row.metric for row in comparison.rows):
        rows = [row for row in comparison.rows if row.metric == metric]
        table = [(row.name, *_means(row, len(comparison.cases))) for row in rows]
        print_table(f"Mean {metric.upper()}, {cases}", ("structure", *comparison.runs), table)
        for number, run in enumerate(comparison.runs[1:]):
            differences = [(row.name, *_difference(row.differences[number])) for row in rows]
            title = f"{metric.upper()}: {run} minus {comparison.runs[0]}"
            columns = ("structure", "pairs", "difference", "95 % interval", "p", "p, Holm")
            print_table(title, columns, differences)
    print_line(
        "Intervals: bootstrap over the cases. p: Wilcoxon signed-rank test. Holm's correction is over the structures "
        "of a table, not over runs and metrics."
    )
    if comparison.missing:
        missing = [f"{case} (not in {', '.join(runs)})" for case, runs in comparison.missing.items()]
        print_line(f"Missing in some runs, excluded above, ranked last there: {name_some(missing)}.")
    _print_ranking(comparison)


def _means(row: Row, cases: int) -> list[str]:
    """Each run's mean, with the number of cases that it is over where that is not all of them."""
    return [
        _figure(mean) + (f" (n={count})" if count != cases else "")
        for mean, count in zip(row.means, row.counts, strict=True)
    ]


def _difference(found: Difference) -> tuple[str, str, str, str, str]:
    interval = "-" if found.low != found.low else f"{found.low:+.4f} to {found.high:+.4f}"
    return str(found.pairs), _figure(found.mean, "+"), interval, _p(found.p), _p(found.p_holm)


def _print_ranking(comparison: Comparison) -> None:
    ranking = comparison.ranking
    rows = [
        (
            comparison.runs[number],
            str(ranking.place[number]),
            f"{ranking.mean[number]:.2f}",
            f"{100 * ranking.first[number]:.1f} %",
            *(f"{ranks[number]:.2f}" for ranks in ranking.by_figure.values()),
        )
        for number in sorted(range(len(comparison.runs)), key=lambda n: ranking.place[n])
    ]
    columns = ("run", "place", "rank", "first in", *(_FIGURES[figure] for figure in ranking.by_figure))
    print_table("FLARE22 ranking: mean ranks over cases", columns, rows)
    if comparison.unmeasured:
        print_line(
            f"Ranked by DSC and NSD alone: no efficiency.csv next to scores.csv of {', '.join(comparison.unmeasured)}."
        )


def _figure(value: float, sign: str = "") -> str:
    return "-" if value != value else f"{value:{sign}.4f}"


def _p(value: float) -> str:
    if value != value:
        return "-"
    return "<0.0001" if value < 0.0001 else f"{value:.4f}"
