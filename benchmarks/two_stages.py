"""Stage one alone, both stages, and both with true reference slices, side by side on the test phantoms.

python -m benchmarks.two_stages [--folder DIR] [--steps 3000] [--only WORD ...]

Two reference networks are trained first, by cross pseudo supervision on 4 labelled and 16 unlabelled phantoms, unless
the folder that is given has them. Every row is a process of its own over the 8 test phantoms. DSC and NSD (2 mm) are
means over organs and scans. Continuity is the DSC of a structure's masks on neighbouring slices, mean over all pairs;
pieces is in how many separate runs of slices a structure comes. Both are best where they are as in the truth. The
last row is of one scan of 300 slices of 512 x 512.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from benchmarks.measure import markdown, measure_call
from benchmarks.phantom_cohort import networks
from benchmarks.speed import phantom, scan_and_slices
from ivos.metrics.evaluation import evaluate, means
from ivos.metrics.overlap import dsc
from ivos.propagation.engines.registry import create_engine
from ivos.propagation.fusion import fuse, fuse_by_sum, fuse_smallest_first
from ivos.propagation.propagate import propagate
from ivos.segmentation.reference_networks import load_reference_networks
from ivos.segmentation.reference_slices import RULES, largest_area
from ivos.segmentation.two_stage import Sampling, segment, segment_slices
from ivos.training.data.prepare import load_manifest
from ivos.training.data.store import StoredScan

if TYPE_CHECKING:
    from ivos.phantom.case import Phantom
    from ivos.propagation.fusion import Fusion
    from ivos.segmentation.reference_slices import Choice
    from ivos.segmentation.settings import Combination
    from ivos.types import Array
    from ivos.volume.volume import Volume

_EVERY, _AT_MOST = 3, 8
_LARGE = (300, 512)  # slices, rows and columns


Segmenter = Callable[["Volume", "Volume"], "Volume"]
"""Labels of a scan; the second volume is its true labels."""

Way = Callable[[list[Path]], Segmenter]
"""A segmenter, loaded, from the weights of the reference networks."""


def truth(_: list[Path]) -> Segmenter:
    """The true labels: how continuous they are."""
    return lambda _, labels: labels


def stage_one(weights: list[Path], *, combination: Combination = "mean", mirrored: bool = False) -> Segmenter:
    """Every slice by itself."""
    reference = load_reference_networks(*weights, combination=combination, mirrored=mirrored)
    return lambda scan, _: segment_slices(scan, reference).labels


def two_stages(
    weights: list[Path],
    *,
    choose: Choice = largest_area,
    fusion: Fusion | None = None,
    agreement: bool = False,
    every: int = _EVERY,
) -> Segmenter:
    """Reference slices by the networks, propagated."""
    reference, engine = load_reference_networks(*weights), create_engine("fast")
    both = partial(segment, networks=reference, engine=engine, sampling=Sampling(every))
    return lambda scan, _: both(scan, choose=choose, fusion=fusion, agreement=agreement).labels


def true_references(_: list[Path], *, every: int = _EVERY) -> Segmenter:
    """True labels on every nth slice, propagated: no reference network can do better."""
    engine = create_engine("fast")

    def segmented(scan: Volume, labels: Volume) -> Volume:
        numbers = Sampling(every).numbers(len(scan.array))
        drawn = np.zeros_like(labels.array)
        drawn[numbers] = labels.array[numbers]
        return propagate(scan, labels.with_array(drawn), engine=engine, axis="axial", complete=numbers).labels

    return segmented


CHOICES: dict[str, Choice] = {name: rule(_AT_MOST) for name, rule in RULES.items()}

WAYS: dict[str, Way] = {
    "truth": truth,
    "stage one, first network": partial(stage_one, combination="first"),
    "stage one, second network": partial(stage_one, combination="second"),
    "stage one, max": partial(stage_one, combination="max"),
    "stage one, mean": stage_one,
    "stage one, mean, mirrored too": partial(stage_one, mirrored=True),
    **{f"two stages, {name}": partial(two_stages, choose=choose) for name, choose in CHOICES.items()},
    "two stages, largest-area, sum": partial(two_stages, fusion=fuse_by_sum),
    "two stages, largest-area, distance-confidence": partial(two_stages, fusion=fuse),
    "two stages, largest-area, smallest structure first": partial(two_stages, fusion=fuse_smallest_first),
    **{
        f"two stages, {name}, agreement": partial(two_stages, choose=choose, agreement=True)
        for name, choose in CHOICES.items()
    },
    "true reference slices": true_references,
}


def run(way: Way, scans: list[Path], weights: list[Path]) -> tuple[float, float, float, float, float]:
    """DSC, NSD, continuity, pieces, and seconds a scan."""
    segmented, figures, seconds = way(weights), [], 0.0
    for path in scans:
        scan, labels = StoredScan(path).scan(), StoredScan(path).labels()
        started = time.perf_counter()
        found = segmented(scan, labels)
        seconds += time.perf_counter() - started
        mean = means(evaluate(found, labels))
        figures.append((mean["dsc"], mean["nsd"], *continuity(found.array)))
    overlap, surface, continuous, pieces = np.mean(figures, axis=0).tolist()
    return overlap, surface, continuous, pieces, seconds / len(scans)


def run_large(small: Phantom, weights: list[Path]) -> float:
    """Seconds of both stages for a large scan, networks loaded."""
    scan, _ = scan_and_slices(small, *_LARGE, halved=False)
    segmented = two_stages(weights)
    started = time.perf_counter()
    segmented(scan, scan)
    return time.perf_counter() - started


def continuity(labels: Array) -> tuple[float, float]:
    """DSC of a structure on neighbouring slices, mean over all; separate runs of slices to a structure, mean."""
    overlaps, runs = [], []
    for structure in (int(n) for n in np.unique(labels) if n):
        mask = labels == structure
        overlaps += [dsc(below, above) for below, above in pairwise(mask)]
        there = np.concatenate([[False], mask.any(axis=(1, 2))])
        runs.append(np.count_nonzero(there[1:] & ~there[:-1]))
    return float(np.nanmean(overlaps)), float(np.mean(runs))


def main(
    folder: Annotated[Path | None, typer.Option(help="Where cohort and networks are kept.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps of the networks' training.")] = 3000,
    only: Annotated[list[str] | None, typer.Option(help="Rows whose name holds this word; repeat for several.")] = None,
) -> None:
    """Train the networks and compare."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as temporary:
        place = folder or Path(temporary)
        weights = networks(place, steps)
        cases = load_manifest(place / "prepared").cases
        scans = [place / "prepared" / case.file for case in cases if case.split == "test"]
        rows = []
        for name, way in WAYS.items():
            if only is None or any(word in name for word in only):
                taken = measure_call(run, way, scans, weights)
                overlap, surface, continuous, pieces, seconds = taken.result
                row = [f"{overlap:.3f}", f"{surface:.3f}", f"{continuous:.3f}", f"{pieces:.2f}"]
                rows.append([name, *row, f"{seconds:.1f}", f"{taken.peak_mb:.0f}"])
                print(rows[-1], flush=True)
        if only is None:
            taken = measure_call(run_large, measure_call(phantom).result, weights)
            rows.append(["two stages, 300 x 512 x 512", *[""] * 4, f"{taken.result:.1f}", f"{taken.peak_mb:.0f}"])
        print(markdown(["way", "DSC", "NSD 2 mm", "continuity", "pieces", "s a scan", "peak MB"], rows))


if __name__ == "__main__":
    typer.run(main)
