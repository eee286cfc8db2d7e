"""Every n-th axial slice is drawn in full, for all structures at once; the slices between are the question.

python -m benchmarks.every_nth [--n 10] [--scan SCAN --labels LABELS] [--checkpoint STCN] [--per-structure]
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.cases import Case, measurable
from benchmarks.compare import Checkpoint, Labels, PerStructure, Phantoms, Scan, cases_of, compare, undrawn_dsc

if TYPE_CHECKING:
    from ivos.propagation.engines.protocol import Engine


def every_nth(n: int, case: Case, engine: Engine) -> dict[str, float]:
    """DSC of each structure over the slices that were not drawn; slices n/2, n/2 + n, ... are."""
    scan, labels = case.load()
    drawn = list(range(n // 2, len(labels.array), n))
    scores = undrawn_dsc(scan, labels, drawn, measurable(labels), engine)
    return {labels.names.get(structure, str(structure)): score for structure, score in scores.items()}


def main(
    n: Annotated[int, typer.Option(help="The distance of drawn slices.")] = 10,
    scan: Scan = None,
    labels: Labels = None,
    phantoms: Phantoms = 3,
    checkpoint: Checkpoint = None,
    per_structure: PerStructure = False,
) -> None:
    """Draw every n-th slice."""
    compare(partial(every_nth, n), cases_of(scan, labels, phantoms), checkpoint, per_structure=per_structure)


if __name__ == "__main__":
    typer.run(main)
