"""How many slices have to be drawn: DSC against their number, by which slice is drawn next.

python -m benchmarks.annotation_effort [--phantoms 3 | --scan SCAN --labels LABELS] [--slices 12] [--engine fast]
    [--checkpoint STCN] [--fast-checkpoint FILE] [--figure FILE.svg]

Every slice is drawn in full, with the true mask of every structure on it, and all drawn slices are propagated. The
first is the middle of the scan, always. The next ones are

    suggested  the first one that `ivos suggest` names after propagating those before
    halving    the middle of the widest gap, where the scan's ends count as drawn: what someone does who wants them even
               and does not know yet how many there will be
    planned    so many, evenly over the scan, chosen anew for every number: what someone does who knows it from the
               start, and no one who goes on until it is good
    random     any (mean of three tries)

A structure that no drawn slice shows counts with DSC 0. The area is the mean of the DSC over all numbers of slices.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from benchmarks.cases import Case, cases_of, measurable
from benchmarks.compare import Labels, Phantoms, Scan  # noqa: TC001 - Typer reads them
from benchmarks.engines import Checkpoint, FastCheckpoint, contenders
from benchmarks.measure import markdown
from benchmarks.plot import line_plot
from benchmarks.scores import mean
from ivos.metrics.overlap import dsc
from ivos.propagation.annotations import Annotations
from ivos.propagation.bidirectional import SliceStack, walk
from ivos.propagation.fusion import decide
from ivos.uncertainty.features import QualityFeatures
from ivos.uncertainty.suggest import collect_features, rank
from ivos.volume.windows import windows_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.engines import Contender
    from ivos.propagation.engines.protocol import Engine

ENOUGH_DSC = 0.9
_TRIES = 3  # of what is random

Curve = list[tuple[float, float]]
"""For 1, 2, ... drawn slices the mean DSC of the structures on the whole scan, and on the slices that are not drawn."""


class Scene:
    """A scan whose slices are drawn one after the other.

    Args:
        case: the scan and its true labels.
        engine: propagates.
    """

    def __init__(self, case: Case, engine: Engine) -> None:
        scan, labels = case.load()
        self.truth, self.structures = labels.array, measurable(labels)
        _, rows, columns = scan.geometry.spacing_mm
        self._stack = SliceStack(scan.array, windows_for(scan, "auto"), (rows, columns))
        self._engine = engine
        self._done: dict[frozenset[int], tuple[tuple[float, float], int]] = {}

    def __len__(self) -> int:
        return len(self.truth)

    @cached_property
    def first(self) -> int:
        """The slice that is drawn first."""
        return len(self) // 2

    def scores(self, drawn: Sequence[int]) -> tuple[float, float]:
        """Mean DSC with these slices drawn, on all and on the other slices."""
        return self._result(frozenset(drawn))[0]

    def suggested(self, drawn: Sequence[int]) -> int:
        """The slice to draw next."""
        return self._result(frozenset(drawn))[1]

    def _result(self, drawn: frozenset[int]) -> tuple[tuple[float, float], int]:
        if drawn not in self._done:
            self._done[drawn] = self._propagate(drawn)
        return self._done[drawn]

    def _propagate(self, drawn: frozenset[int]) -> tuple[tuple[float, float], int]:
        numbers = sorted(drawn)
        labels = np.zeros_like(self.truth)
        labels[numbers] = self.truth[numbers]
        present = tuple(int(k) for k in np.unique(labels) if k)
        annotations = Annotations(labels, present, drawn)
        evidence, found = QualityFeatures.of(len(self), len(present)), np.zeros_like(labels)
        ids = np.array([0, *present], labels.dtype)
        for finished in walk(self._stack, annotations, self._engine):
            if finished is not None:
                collect_features(evidence, finished)
                found[finished.index] = ids[decide(finished.masks)[0]]
        next_slices = rank(evidence, annotations, count=1).slices
        free = next(n for n in range(len(self) + 1) if n not in drawn)
        return self._score(found, numbers), next_slices[0].index if next_slices else free

    def _score(self, found: np.ndarray, drawn: list[int]) -> tuple[float, float]:
        others = np.setdiff1d(np.arange(len(self)), drawn)
        pairs = [(found == k, self.truth == k) for k in self.structures]
        return mean(dsc(a, b) for a, b in pairs), mean(dsc(a[others], b[others]) for a, b in pairs)


def suggested(scene: Scene, slices: int) -> list[Curve]:
    """As `ivos suggest` says."""
    drawn = [scene.first]
    while len(drawn) < slices:
        drawn.append(scene.suggested(drawn))
    return [_one_by_one(scene, drawn)]


def halving(scene: Scene, slices: int) -> list[Curve]:
    """The middle of the widest gap."""
    drawn = [scene.first]
    while len(drawn) < slices:
        edges = sorted([-1, *drawn, len(scene)])
        widest = int(np.diff(edges).argmax())
        drawn.append((edges[widest] + edges[widest + 1]) // 2)
    return [_one_by_one(scene, drawn)]


def evenly_planned(scene: Scene, slices: int) -> list[Curve]:
    """Evenly spaced, chosen separately for each number."""
    return [[scene.scores([int((i + 0.5) * len(scene) / n) for i in range(n)]) for n in range(1, slices + 1)]]


def at_random(scene: Scene, slices: int) -> list[Curve]:
    """Any slices, in several tries."""
    others = np.delete(np.arange(len(scene)), scene.first)
    orders = [np.random.default_rng(seed).permutation(others)[: slices - 1].tolist() for seed in range(_TRIES)]
    return [_one_by_one(scene, [scene.first, *order]) for order in orders]


WAYS: dict[str, Callable[[Scene, int], list[Curve]]] = {
    "random": at_random,
    "halving": halving,
    "suggested": suggested,
    "planned": evenly_planned,
}


def _one_by_one(scene: Scene, order: list[int]) -> Curve:
    return [scene.scores(order[:n]) for n in range(1, len(order) + 1)]


def _row(name: str, curve: Sequence[float]) -> list[str]:
    """DSC by number of slices, the number that is enough, the area."""
    enough = next((str(n) for n, value in enumerate(curve, start=1) if value >= ENOUGH_DSC), "not reached")
    return [name, *(f"{value:.3f}" for value in curve), enough, f"{mean(curve):.3f}"]


def main(
    scan: Scan = None,
    labels: Labels = None,
    phantoms: Phantoms = 3,
    slices: Annotated[int, typer.Option(min=2, help="How many slices are drawn in the end.")] = 12,
    engine: Annotated[str, typer.Option(help="What carries masks from slice to slice.")] = "fast",
    checkpoint: Checkpoint = None,
    fast_checkpoint: FastCheckpoint = None,
    figure: Annotated[Path | None, typer.Option(help="SVG of the mean curves.")] = None,
) -> None:
    """Draw slice after slice, by each way to choose the next."""
    contender = contenders([engine], checkpoint, fast_checkpoint)[-1]
    tell({case.name: effort(case, contender, slices) for case in cases_of(scan, labels, phantoms)}, figure)


def effort(case: Case, contender: Contender, slices: int) -> dict[str, list[Curve]]:
    """The curves of a scan by every way."""
    scene = Scene(case, contender.load())
    return {name: way(scene, min(slices, len(scene))) for name, way in WAYS.items()}


def tell(findings: Mapping[str, Mapping[str, list[Curve]]], figure: Path | None) -> None:
    """Print the curves of every scan by every way and the means over scans, and draw those."""
    means = {name: _mean([_mean(ways[name]) for ways in findings.values()]) for name in WAYS}
    rows = [(f"{case}, {name}", _mean(curves)) for case, ways in findings.items() for name, curves in ways.items()]
    if len(findings) > 1:
        rows += [(f"mean, {name}", curve) for name, curve in means.items()]
    drawn = list(range(1, len(rows[0][1]) + 1))
    for number, where in enumerate(("whole scan", "slices not drawn")):
        columns = [f"DSC, {where}", *map(str, drawn), f"to {ENOUGH_DSC}", "area"]
        print(markdown(columns, [_row(name, [point[number] for point in curve]) for name, curve in rows]) + "\n")
    if figure is not None:
        heights = {name: [point[0] for point in curve] for name, curve in means.items()}
        figure.write_text(line_plot(drawn, heights, "drawn slices", "mean DSC"))


def _mean(curves: Sequence[Curve]) -> Curve:
    """Point by point."""
    points = zip(*curves, strict=True)
    return [(mean(whole for whole, _ in same), mean(other for _, other in same)) for same in points]


if __name__ == "__main__":
    typer.run(main)
