"""Long walks: scans of 200 slices, one slice of each structure drawn; how an engine fares far away from it.

python -m benchmarks.long_walk [--phantoms 3] [--scan SCAN --labels LABELS] [--engine NAME ...] [--per-structure]
    [--plot FILE.svg] [--checkpoint STCN] [--fast-checkpoint FILE]

The second table is DSC against distance from the drawn slice: at each distance over the slices of a structure there
together, mean over the structures that are there or were found there. A structure found where there is none counts as
0, so an engine that ends structures rightly averages over fewer than one that does not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cases import cases_of
from benchmarks.compare import Labels, PerStructure, Phantoms, Scan, compare
from benchmarks.engines import Checkpoint, Engines, FastCheckpoint, contenders
from benchmarks.measure import markdown
from benchmarks.one_slice import one_slice
from benchmarks.plot import line_plot
from benchmarks.scores import BIN_SLICES, mean_by_distance, present_by_distance
from ivos.files import replacing

_SHAPE = (200, 160, 160)  # slices of 1.1 to 1.5 mm: what it takes to hold the body


def main(
    scan: Scan = None,
    labels: Labels = None,
    phantoms: Phantoms = 3,
    engine: Engines = None,
    checkpoint: Checkpoint = None,
    fast_checkpoint: FastCheckpoint = None,
    per_structure: PerStructure = False,
    plot: Annotated[Path | None, typer.Option(help="An SVG file for DSC against distance.")] = None,
) -> None:
    """Draw one slice of each structure of a long scan."""
    engines = contenders(engine, checkpoint, fast_checkpoint)
    findings = compare(one_slice, cases_of(scan, labels, phantoms, _SHAPE), engines, per_structure=per_structure)
    scores = {name: [score for _, score in found] for name, found in findings.items()}
    curves = {name: mean_by_distance(found) for name, found in scores.items()}
    there = present_by_distance(next(iter(scores.values())))  # the same for all engines
    print()
    print(markdown(["slices from the drawn one", "structures there", *curves], _rows(there, curves)))
    if plot is not None:
        middles = [n * BIN_SLICES + (BIN_SLICES + 1) / 2 for n in range(len(there))]
        with replacing(plot) as path:
            path.write_text(line_plot(middles, curves, "slices from the drawn one", "DSC"), encoding="utf-8")


def _rows(there: list[int], curves: dict[str, list[float]]) -> list[list[str]]:
    return [
        [f"{n * BIN_SLICES + 1} to {(n + 1) * BIN_SLICES}", str(count), *[f"{value:.3f}" for value in values]]
        for n, (count, *values) in enumerate(zip(there, *curves.values(), strict=True))
    ]


if __name__ == "__main__":
    typer.run(main)
