"""How often a mask leaps to where nothing led, on random phantoms with one slice of each structure annotated.

python -m benchmarks.leaps [--phantoms 1000] [--first 0] [--engine fast] [--fast-checkpoint FILE] [--freely]

A leap: more than 30 % of a structure's pixels on a slice are farther than three times the last step's displacement from
everything that it had on the slice before. The displacement is how far the border moved between the two slices before
(Hausdorff's distance), at least a pixel. No step leads to an annotated slice: from there the radius of a disc of the
structure's area takes the place of three times that.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from unittest import mock

import numpy as np
import typer
from scipy import ndimage

from benchmarks.cases import largest_slice, measurable
from benchmarks.engines import contenders
from benchmarks.measure import markdown
from benchmarks.panel.protocol import Counts, Protocol
from benchmarks.scores import mean
from ivos.phantom import random_shapes
from ivos.propagation.propagate import propagate

if TYPE_CHECKING:
    import numpy.typing as npt

    from ivos.propagation.engines.protocol import Engine
    from ivos.types import BoolArray

_SHARE, _TIMES, _LEAST_PIXELS = 0.3, 3.0, 1.0


def leaps(found: BoolArray, annotated: int) -> list[int]:
    """Numbers of the slices to which a structure leaps.

    Args:
        found: the structure (N, H, W).
        annotated: the slice from which it was propagated.
    """
    leapt = []
    for numbers in (range(annotated + 1, len(found)), range(annotated - 1, -1, -1)):
        before = found[annotated]
        step = float(np.sqrt(before.sum() / np.pi)) / _TIMES
        for number in numbers:
            after = found[number]
            if not after.any() or not before.any():
                break
            away = _distance_to(before)[after]
            if (away > _TIMES * max(step, _LEAST_PIXELS)).mean() > _SHARE:
                leapt.append(number)
            step = float(max(away.max(), _distance_to(after)[before].max()))
            before = after
    return leapt


def _distance_to(mask: BoolArray) -> npt.NDArray[np.float64]:
    return np.asarray(ndimage.distance_transform_edt(~mask))


def main(
    phantoms: Annotated[int, typer.Option(min=1, help="How many.")] = 1000,
    first: Annotated[int, typer.Option(min=0, help="Seed of the first one.")] = 0,
    engine: Annotated[str, typer.Option(help="The engine.")] = "fast",
    fast_checkpoint: Annotated[Path | None, typer.Option(exists=True, help="Other weights of fast.")] = None,
    freely: Annotated[bool, typer.Option("--freely", help="Also without the rule that prevents leaps.")] = False,
) -> None:
    """Propagate, count leaps, print a table."""
    (contender,) = contenders([engine], None, fast_checkpoint)[-1:]
    rows = [_row("with the rule", contender.load(), range(first, first + phantoms))]
    if freely:
        with mock.patch("ivos.propagation.reach._LEAST_PIXELS", float("inf")):
            rows.append(_row("without", contender.load(), range(first, first + phantoms)))
    print(markdown(["", "phantoms", "structures", "with a leap", "leaps", "DSC", "FP", "FN"], rows))


def _row(name: str, engine: Engine, seeds: range) -> list[str]:
    leapt, counts = [], []
    for seed in seeds:
        phantom = random_shapes(seed)
        annotated, _ = Protocol().annotations(phantom.labels)
        result = propagate(phantom.scan, phantom.labels.with_array(annotated), engine=engine, axis="axial")
        for structure in measurable(phantom.labels):
            found, truth = result.labels.array == structure, phantom.labels.array == structure
            start = largest_slice(phantom.labels, structure)
            there = leaps(found, start)
            leapt.append(len(there))
            if there:
                print(f"phantom {seed}: structure {structure} leaps to {there}", flush=True)
            found[start] = truth[start] = False
            counts.append(Counts.of(found, truth))
    figures = [
        mean(count.dsc for count in counts),
        *(mean(getattr(c, part) / max(c.truth, 1) for c in counts) for part in ("false", "missed")),
    ]
    wrong = [str(len(seeds)), str(len(leapt)), str(np.count_nonzero(leapt)), str(sum(leapt))]
    return [name, *wrong, *[f"{figure:.3f}" for figure in figures]]


if __name__ == "__main__":
    typer.run(main)
