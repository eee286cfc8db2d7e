"""How well the DSC of what is propagated is estimated without the truth.

python -m benchmarks.trust_drawn [--scan SCAN --labels LABELS]... [--fit 16] [--test 8]

An estimator is fitted on phantoms, and tried on others and on scans. The bundled network carries true labels of some
slices of each, twice: the largest slice of each structure, and every tenth slice, complete. DSC and evidence are of the
slices on which a structure was not drawn. One estimator serves all structures. `cycle` is what comes back to the drawn
slices from far away. Of the scans the failures are listed, those first of which the estimate thought best.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from benchmarks.cases import Case, largest_slice, measurable
from benchmarks.measure import markdown
from benchmarks.trust import print_judged
from ivos.metrics.overlap import dsc
from ivos.propagation.annotations import Annotations
from ivos.propagation.bidirectional import SliceStack, walk
from ivos.propagation.engines.registry import create_engine
from ivos.propagation.fusion import decide
from ivos.types import Axis
from ivos.uncertainty.cycle import add_cycle
from ivos.uncertainty.estimate import Observation, fit
from ivos.uncertainty.features import QualityFeatures
from ivos.uncertainty.quality import BAD_DSC
from ivos.uncertainty.suggest import take

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ivos.propagation.engines.protocol import Engine
    from ivos.uncertainty.estimate import Estimator
    from ivos.volume.volume import Volume

_FIT_SEED, _TEST_SEED = 7300, 7400
_FIGURES = ("certainty", "entropy", "passes", "cycle", "log_ml")
_EVERY = 10
_ANY = 0  # the one structure that the estimator knows


def main(
    scan: Annotated[list[Path] | None, typer.Option(help="Try it on this scan; repeat for several.")] = None,
    labels: Annotated[list[Path] | None, typer.Option(help="Its labels, as often as --scan.")] = None,
    fitted: Annotated[int, typer.Option("--fit", min=4, help="Phantoms to fit on.")] = 16,
    tested: Annotated[int, typer.Option("--test", min=1, help="Phantoms to try it on.")] = 8,
) -> None:
    """Fit on phantoms, try on others, and on scans where there are any."""
    if len(scan or []) != len(labels or []):
        raise typer.BadParameter("--scan and --labels go together")
    engine = create_engine("fast")
    estimator, _ = fit([o for _, o in _observed(_phantoms(_FIT_SEED, fitted), engine)], "")
    print_judged(estimator, [o for _, o in _observed(_phantoms(_TEST_SEED, tested), engine)])
    if scan and labels:
        real = [Case(path.name, path, truth) for path, truth in zip(scan, labels, strict=True)]
        tried = list(_observed(real, engine))
        print_judged(estimator, [o for _, o in tried])
        _print_failures(estimator, tried)


def _phantoms(first: int, count: int) -> list[Case]:
    """Phantoms of 30 to 79 slices."""
    slices = [int(np.random.default_rng(seed).integers(30, 80)) for seed in range(first, first + count)]
    return [Case(f"phantom {first + n}", seed=first + n, shape=(z, 160, 160)) for n, z in enumerate(slices)]


def _print_failures(estimator: Estimator, tried: list[tuple[str, Observation]]) -> None:
    """The bad structures, those first that the estimate thought better of than they are."""
    bad = [(name, o, estimator.estimate(o.structure, o.figures)) for name, o in tried if o.dsc < BAD_DSC]
    bad.sort(key=lambda failure: failure[1].dsc - failure[2].dsc)
    rows = [[o.scan, name, f"{o.dsc:.2f}", f"{e.dsc:.2f}", f"{e.low:.2f} to {e.high:.2f}"] for name, o, e in bad]
    print(markdown(["scan", "structure, drawn", "true DSC", "estimated", "90 % interval"], rows))


def _observed(cases: Iterable[Case], engine: Engine) -> Iterator[tuple[str, Observation]]:
    """Every structure that was found, as a name and what is known of it."""
    for case in cases:
        scan, labels = case.load()
        structures = measurable(labels)
        largest = np.zeros_like(labels.array)
        for structure in structures:
            number = largest_slice(labels, structure)
            largest[number][labels.array[number] == structure] = structure
        even = list(range(_EVERY // 2, len(labels.array), _EVERY))
        drawn = np.zeros_like(labels.array)
        drawn[even] = np.where(np.isin(labels.array[even], structures), labels.array[even], 0)
        shown = tuple(k for k in structures if (drawn == k).any())
        for what, given in (
            ("on its largest slice", Annotations(largest, tuple(structures))),
            (f"on every {_EVERY}th slice", Annotations(drawn, shown, frozenset(even))),
        ):
            for structure, observation in _of_propagation(case.name, scan, labels, given, engine):
                yield f"{labels.names.get(structure, structure)}, {what}", observation


def _of_propagation(
    name: str, scan: Volume, labels: Volume, annotations: Annotations, engine: Engine
) -> Iterator[tuple[int, Observation]]:
    stack = SliceStack.of(scan, Axis.AXIAL, "auto")
    evidence = QualityFeatures.of(len(stack), len(annotations.structures))
    found, ids = np.zeros_like(labels.array), np.array([0, *annotations.structures], labels.array.dtype)
    for finished in walk(stack, annotations, engine):
        if finished is not None:
            found[finished.index] = ids[decide(finished.masks)[0]]
            take(evidence, finished)
    for part in (evidence.voxels, evidence.probable, evidence.certain, evidence.entropy):
        part[annotations.known] = 0  # what is drawn is certain, and says nothing of the rest
    add_cycle(evidence, stack, annotations, found, engine)
    figures = evidence.figures(scan.geometry.voxel_volume_ml)
    for k, structure in enumerate(annotations.structures):
        rest = ~annotations.known[:, k]
        if (found[rest] == structure).any():
            overlap = dsc(found[rest] == structure, labels.array[rest] == structure)
            known = {figure: figures[k].get(figure, np.nan) for figure in _FIGURES}
            yield structure, Observation(name, _ANY, known, overlap)


if __name__ == "__main__":
    typer.run(main)
