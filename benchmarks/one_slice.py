"""Each structure alone: its largest axial slice is drawn, the rest of the volume is the question.

python -m benchmarks.one_slice [--scan SCAN --labels LABELS] [--checkpoint STCN] [--per-structure]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from benchmarks.cases import Case, measurable
from benchmarks.compare import Checkpoint, Labels, PerStructure, Phantoms, Scan, cases_of, compare, undrawn_dsc

if TYPE_CHECKING:
    from ivos.propagation.engines.protocol import Engine


def one_slice(case: Case, engine: Engine) -> dict[str, float]:
    """DSC of each structure over the slices but its largest."""
    scan, labels = case.load()
    scores = {}
    for structure in measurable(labels):
        largest = int((labels.array == structure).sum(axis=(1, 2)).argmax())
        name = labels.names.get(structure, str(structure))
        scores[name] = undrawn_dsc(scan, labels, [largest], [structure], engine)[structure]
    return scores


def main(
    scan: Scan = None,
    labels: Labels = None,
    phantoms: Phantoms = 3,
    checkpoint: Checkpoint = None,
    per_structure: PerStructure = False,
) -> None:
    """Draw one slice of each structure."""
    compare(one_slice, cases_of(scan, labels, phantoms), checkpoint, per_structure=per_structure)


if __name__ == "__main__":
    typer.run(main)
