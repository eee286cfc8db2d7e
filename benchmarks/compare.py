"""What the propagation benchmarks share: all engines side by side on the same annotations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from benchmarks.cases import Case, cases_of
from benchmarks.measure import markdown, measured
from ivos.metrics.overlap import dsc
from ivos.propagation.engines.choose import EngineName, choose_engine
from ivos.propagation.propagate import propagate

if TYPE_CHECKING:
    from collections.abc import Callable

    from ivos.propagation.engines.protocol import Engine
    from ivos.volume.volume import Volume

    Task = Callable[[Case, Engine], dict[str, float]]

Scan = Annotated[Path | None, typer.Option(help="A scan with true labels; phantoms without one.")]
Labels = Annotated[Path | None, typer.Option(help="Its true labels.")]
Phantoms = Annotated[int, typer.Option(help="How many phantoms.")]
Checkpoint = Annotated[Path | None, typer.Option(help="STCN weights; adds that engine.")]
PerStructure = Annotated[bool, typer.Option("--per-structure", help="A row for every structure.")]


def undrawn_dsc(
    scan: Volume, labels: Volume, drawn: list[int], structures: list[int], engine: Engine
) -> dict[int, float]:
    """DSC of each structure over the axial slices that were not drawn, all of ``structures`` walked together."""
    array = np.zeros_like(labels.array)
    array[drawn] = np.where(np.isin(labels.array[drawn], structures), labels.array[drawn], 0)
    result = propagate(scan, labels.with_array(array), engine=engine, axis="axial", complete=drawn)
    others = np.setdiff1d(np.arange(len(array)), drawn)
    return {
        k: dsc(result.labels.array[others] == k, labels.array[others] == k) for k in structures if (array == k).any()
    }


def _run(task: Task, case: Case, engine: EngineName, checkpoint: Path | None) -> dict[str, float]:
    return task(case, choose_engine(engine, checkpoint=checkpoint))


def compare(task: Task, case_list: list[Case], checkpoint: Path | None, *, per_structure: bool) -> None:
    """Print DSC, seconds and peak memory of every engine on every case."""
    engines: list[EngineName] = ["nearest", "flow", "fast", *(["stcn"] if checkpoint else [])]  # type: ignore[list-item]
    summary: list[list[str]] = []
    details: list[list[str]] = []
    for case in case_list:
        runs = {engine: measured(_run, task, case, engine, checkpoint) for engine in engines}
        for engine, run in runs.items():
            scores = [score for score in run.result.values() if not np.isnan(score)]
            figures = [f"{np.mean(scores):.3f}", str(len(scores)), f"{run.seconds:.1f}", f"{run.peak_mb:.0f}"]
            summary.append([f"{case.name}, {engine}", *figures])
        details += [
            [f"{case.name}, {name}", *[f"{run.result[name]:.3f}" for run in runs.values()]]
            for name in runs[engines[0]].result
        ]
    print(markdown(["scan, engine", "mean DSC", "structures", "seconds", "peak MB"], summary))
    if per_structure:
        print()
        print(markdown(["structure", *engines], details))


__all__ = ["Checkpoint", "Labels", "PerStructure", "Phantoms", "Scan", "cases_of", "compare", "undrawn_dsc"]
