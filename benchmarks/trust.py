"""How well the DSC of segmentations is estimated without the truth, on phantoms that nothing was fitted on.

python -m benchmarks.trust [--folder DIR] [--steps 3000] [--fit 24] [--test 16] [--plot FILE.svg]

The reference networks of benchmarks.two_stages (trained first, unless the folder has them) segment phantoms in two
stages; an estimator is fitted on some, and tried on others. Single features are compared with it. `caught` is
the share of structures with a DSC below 0.7 that are found at a false alarm for every tenth other one.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from benchmarks.measure import markdown
from benchmarks.phantom_cohort import networks
from benchmarks.plot import line_plot
from ivos.files import replacing
from ivos.metrics.overlap import dsc
from ivos.phantom import abdomen
from ivos.segmentation.segmenter import Segmenter
from ivos.segmentation.settings import SegmentationSettings
from ivos.uncertainty.estimate import Observation, assess_estimates, detection_rate, fit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ivos.uncertainty.estimate import Estimate, Estimator
    from ivos.volume.geometry import Shape

_SHAPE: Shape = (48, 128, 128)
_FIT_SEED, _TEST_SEED = 7100, 7200
_BINS = 8


def main(
    folder: Annotated[Path | None, typer.Option(help="Where cohort and networks are kept.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps of the networks' training.")] = 3000,
    fitted: Annotated[int, typer.Option("--fit", min=4, help="Phantoms to fit on.")] = 24,
    tested: Annotated[int, typer.Option("--test", min=1, help="Phantoms to try it on.")] = 16,
    plot: Annotated[Path | None, typer.Option(help="SVG file for estimated against true DSC.")] = None,
) -> None:
    """Fit on some phantoms, try on others."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as temporary:
        weights = networks(folder or Path(temporary), steps)
        segmenter = Segmenter(SegmentationSettings(reference=tuple(weights)))
        estimator, _ = fit(_observe(segmenter, range(_FIT_SEED, _FIT_SEED + fitted)), segmenter.made_by)
        tried = _observe(segmenter, range(_TEST_SEED, _TEST_SEED + tested))
    print_accuracy(estimator, tried)
    estimates, true = [estimator.estimate(o.structure, o.figures) for o in tried], [o.dsc for o in tried]
    bins = _bin(estimates, true)
    print(
        markdown(
            ["estimated DSC", "structures", "true DSC, mean", "SD"],
            [[f"{estimated:.2f}", str(count), f"{mean:.2f}", f"{sd:.2f}"] for estimated, count, mean, sd in bins],
        )
    )
    if plot is not None:
        at = [100 * estimated for estimated, *_ in bins]
        curves = {"true": [mean for _, _, mean, _ in bins], "ideal": [estimated for estimated, *_ in bins]}
        with replacing(plot) as path:
            path.write_text(line_plot(at, curves, "estimated DSC, %", "true DSC, mean"), encoding="utf-8")


def print_accuracy(estimator: Estimator, tried: Sequence[Observation]) -> None:
    """How well an estimator does on structures that it was not fitted on, and each of its figures by itself."""
    true = [o.dsc for o in tried]
    judged = assess_estimates([estimator.estimate(o.structure, o.figures) for o in tried], true)
    rows = [["estimate", str(len(true)), f"{judged.pearson:.3f}", f"{judged.detection_rate:.2f}"]]
    rows += [_alone(name, tried) for name in estimator.figures if name != "log_ml"]
    print(markdown(["by", "structures", "Pearson r", "caught"], rows))
    inside = f"{judged.covered:.0%} within the 90 % interval"
    print(f"\nMean error {judged.mean_error:.3f}; {inside}; {judged.bad} bad ones.\n")


def _observe(segmenter: Segmenter, seeds: Iterable[int]) -> list[Observation]:
    """Every structure that was found on phantoms."""
    observations = []
    for seed in seeds:
        phantom = abdomen(seed, shape=_SHAPE)
        result = segmenter(phantom.scan)
        for label, figures in result.figures.items():
            overlap = dsc(result.labels.array == label, phantom.labels.array == label)
            observations.append(Observation(str(seed), label, figures, overlap))
    return observations


def _alone(name: str, observations: Sequence[Observation]) -> list[str]:
    """A row for a figure by itself; more entropy is worse."""
    known = [(o.figures[name], o.dsc) for o in observations if np.isfinite(o.figures.get(name, np.nan))]
    figure, true = np.array(known).T
    score = -figure if name == "entropy" else figure
    return [
        f"{name} alone",
        str(len(known)),
        f"{np.corrcoef(score, true)[0, 1]:.3f}",
        f"{detection_rate(score, true):.2f}",
    ]


def _bin(estimates: Sequence[Estimate], true: Sequence[float]) -> list[tuple[float, int, float, float]]:
    """Groups of the same size by rising estimate: mean estimate, count, mean and standard deviation of the true DSC."""
    order = np.argsort([e.dsc for e in estimates])
    groups = [group for group in np.array_split(order, _BINS) if group.size]
    values = np.array(true)
    return [
        (float(np.mean([estimates[n].dsc for n in g])), len(g), float(values[g].mean()), float(values[g].std()))
        for g in groups
    ]


if __name__ == "__main__":
    typer.run(main)
