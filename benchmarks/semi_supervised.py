"""What unlabelled scans are worth: one recipe without them and others with them, the same number of steps each.

python -m benchmarks.semi_supervised [--folder DIR] [--steps 1000] [--seeds 3] [--method NAME ...]

A cohort of phantoms: 4 labelled, 16 unlabelled and 8 test scans. Printed is the DSC over whole test scans, mean over
organs and scans, for each seed and in the mean. A folder that is given keeps everything, so that a run that was stopped
goes on.
"""

from __future__ import annotations

import logging
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from benchmarks.measure import markdown
from benchmarks.phantom_cohort import train_networks, write_cohort
from ivos.nets.reference_file import load_reference
from ivos.training.data.prepare import load_manifest, prepare
from ivos.training.data.store import StoredScan
from ivos.training.reference.train import segment_scan, volume_dsc

_METHODS = ("supervised", "cps", "consistency")
_QUICK = ("data.size=64", "data.batch=4")


def main(
    folder: Annotated[Path | None, typer.Option(help="Where cohort and runs are kept.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps of every run.")] = 1000,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of every method.")] = 3,
    method: Annotated[list[str] | None, typer.Option(help="A method, repeated for several.")] = None,
) -> None:
    """Train every method and compare."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as temporary:
        place = folder or Path(temporary)
        write_cohort(place / "raw")
        prepare(place / "raw", place / "prepared")
        rows = []
        for name in method or _METHODS:
            started, scores = time.perf_counter(), []
            for seed in range(seeds):
                run = place / f"{name}_{seed}"
                weights = train_networks(place / "prepared", name, run, [f"steps={steps}", f"seed={seed}", *_QUICK])
                scores.append(_test_dsc(place / "prepared", weights[0]))
            minutes = (time.perf_counter() - started) / 60
            rows.append([name, *(f"{s:.3f}" for s in scores), f"{np.mean(scores):.3f}", f"{minutes:.1f}"])
        print(markdown(["method", *(f"seed {n}" for n in range(seeds)), "mean DSC", "minutes"], rows))


def _test_dsc(prepared: Path, weights: Path) -> float:
    network, info = load_reference(weights)
    tested = [case for case in load_manifest(prepared).cases if case.split == "test"]
    scans = [StoredScan(prepared / case.file) for case in tested]
    scores = [volume_dsc(segment_scan(network, scan, info, torch.device("cpu")), scan, info) for scan in scans]
    return float(np.nanmean(scores))


if __name__ == "__main__":
    typer.run(main)
