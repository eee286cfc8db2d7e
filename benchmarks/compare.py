"""What the propagation benchmarks share: all engines side by side on the same annotations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.measure import markdown, measure_call
from benchmarks.scores import mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.cases import Case
    from benchmarks.engines import Contender
    from benchmarks.scores import Score
    from ivos.propagation.engines.protocol import Engine

    Task = Callable[[Case, Engine], list[Score]]
    Findings = dict[str, list[tuple[Case, Score]]]

Scan = Annotated[Path | None, typer.Option(exists=True, help="A scan with true labels; phantoms without one.")]
Labels = Annotated[Path | None, typer.Option(exists=True, help="Its true labels.")]
Phantoms = Annotated[int, typer.Option(min=1, help="How many phantoms.")]
PerStructure = Annotated[bool, typer.Option("--per-structure", help="A row for every structure.")]

_COLUMNS = ["scan, engine", "mean DSC", "beyond ends", "structures", "seconds", "peak MB"]


def _run(task: Task, case: Case, engine: Contender) -> list[Score]:
    return task(case, engine.load())


def compare(task: Task, cases: list[Case], engines: list[Contender], *, per_structure: bool) -> Findings:
    """Print DSC, over-propagation, seconds and peak memory of every engine on every case.

    Returns:
        By engine, every structure of every case.
    """
    rows: list[list[str]] = []
    findings: Findings = {engine.name: [] for engine in engines}
    for case in cases:
        for engine in engines:
            run = measure_call(_run, task, case, engine)
            scores: list[Score] = run.result
            findings[engine.name] += [(case, score) for score in scores]
            figures = [f"{mean(s.dsc for s in scores):.3f}", f"{mean(s.overshoot for s in scores):.3f}"]
            figures += [str(len(scores)), f"{run.seconds:.1f}", f"{run.peak_mb:.0f}"]
            rows.append([f"{case.name}, {engine.name}", *figures])
    print(markdown(_COLUMNS, rows))
    if per_structure:
        print()
        print(markdown(["structure", *findings], _details(findings)))
    return findings


def _details(findings: Findings) -> list[list[str]]:
    """A row of DSC for every structure of every case."""
    return [
        [f"{same[0][0].name}, {same[0][1].name}", *[f"{score.dsc:.3f}" for _, score in same]]
        for same in zip(*findings.values(), strict=True)
    ]
