"""Each structure alone: its largest axial slice is drawn, the rest of the volume is the question.

python -m benchmarks.one_slice [--scan SCAN --labels LABELS] [--engine NAME ...] [--per-structure]
    [--pictures FOLDER [--worst 4]] [--checkpoint STCN] [--fast-checkpoint FILE]
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.cases import Case, cases_of, largest_slice, measurable
from benchmarks.compare import Labels, PerStructure, Phantoms, Scan, compare
from benchmarks.engines import Checkpoint, Engines, FastCheckpoint, contenders
from benchmarks.pictures import save_worst
from benchmarks.scores import Score, scores_of

if TYPE_CHECKING:
    from ivos.propagation.engines.protocol import Engine


def one_slice(case: Case, engine: Engine) -> list[Score]:
    """Each structure over the slices but its largest."""
    scan, labels = case.load()
    scores = []
    for structure in measurable(labels):
        scores += scores_of(scan, labels, [largest_slice(labels, structure)], [structure], engine)
    return scores


def main(
    scan: Scan = None,
    labels: Labels = None,
    phantoms: Phantoms = 3,
    engine: Engines = None,
    checkpoint: Checkpoint = None,
    fast_checkpoint: FastCheckpoint = None,
    per_structure: PerStructure = False,
    pictures: Annotated[Path | None, typer.Option(help="Folder for pictures of the last engine's failures.")] = None,
    worst: Annotated[int, typer.Option(min=1, help="How many structures to picture.")] = 4,
) -> None:
    """Draw one slice of each structure."""
    engines = contenders(engine, checkpoint, fast_checkpoint)
    findings = compare(one_slice, cases_of(scan, labels, phantoms), engines, per_structure=per_structure)
    if pictures is not None:
        for path in save_worst(pictures, findings[engines[-1].name], engines[-1], worst):
            print(path)


if __name__ == "__main__":
    typer.run(main)
