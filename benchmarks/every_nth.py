"""Every n-th axial slice is drawn in full, for all structures at once; the slices between are the question.

python -m benchmarks.every_nth [--n 10] [--scan SCAN --labels LABELS] [--engine NAME ...] [--per-structure]
    [--checkpoint STCN] [--fast-checkpoint FILE]
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.cases import Case, cases_of, measurable
from benchmarks.compare import Labels, PerStructure, Phantoms, Scan, compare
from benchmarks.engines import Checkpoint, Engines, FastCheckpoint, contenders
from benchmarks.scores import Score, scores_of

if TYPE_CHECKING:
    from ivos.propagation.engines.protocol import Engine


def every_nth(n: int, case: Case, engine: Engine) -> list[Score]:
    """Each structure over the slices that were not drawn; slices n/2, n/2 + n, ... are."""
    scan, labels = case.load()
    drawn = list(range(n // 2, len(labels.array), n))
    return scores_of(scan, labels, drawn, measurable(labels), engine)


def main(
    n: Annotated[int, typer.Option(min=2, help="The distance of drawn slices.")] = 10,
    scan: Scan = None,
    labels: Labels = None,
    phantoms: Phantoms = 3,
    engine: Engines = None,
    checkpoint: Checkpoint = None,
    fast_checkpoint: FastCheckpoint = None,
    per_structure: PerStructure = False,
) -> None:
    """Draw every n-th slice."""
    engines = contenders(engine, checkpoint, fast_checkpoint)
    compare(partial(every_nth, n), cases_of(scan, labels, phantoms), engines, per_structure=per_structure)


if __name__ == "__main__":
    typer.run(main)
