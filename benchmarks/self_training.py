"""What a loop of pseudo-labels brings, by the rule that chooses them: two rounds each, on the cohort of phantoms.

python -m benchmarks.self_training [--folder DIR] [--steps 1000] [--rule NAME ...]

Round 0 learns from the 4 labelled phantoms. Then each rule chooses from what that network makes of the 16 unlabelled
ones, the training goes on with those labels, and again. `none` goes on for the same steps without pseudo-labels: what a
rule brings is its distance to that row. Test DSC is of both stages on the 8 test phantoms, mean over organs and scans;
label DSC that of the accepted labels with the truth, voxels to be ignored left out; kept the share of the structures
found that were accepted.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import numpy as np
import typer

from benchmarks.measure import markdown
from benchmarks.phantom_cohort import FIRST_SEED, SHAPE, laptop, prepare_cohort
from ivos.io.read import read_labels
from ivos.loop.records import read_decisions
from ivos.loop.rounds import run_loop
from ivos.loop.settings import LoopSettings
from ivos.metrics.overlap import dsc
from ivos.phantom import abdomen
from ivos.pseudo_labels import PseudoLabelSettings
from ivos.segmentation.segmenter import Segmenter
from ivos.segmentation.settings import SegmentationSettings
from ivos.training.data.prepare import load_manifest
from ivos.training.data.store import StoredScan
from ivos.training.reference.train import train_reference
from ivos.volume.labels import ignored_in

if TYPE_CHECKING:
    from ivos.pseudo_labels import ScoreRule
    from ivos.training.reference.settings import ReferenceSettings

_RULES = ("none", "worst-structure", "ivos", "all")
_ROUNDS = 2
_QUICK = ("data.size=64", "data.batch=4")


def main(
    folder: Annotated[Path | None, typer.Option(help="Where cohort and loops are kept.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps of every round.")] = 1000,
    rule: Annotated[list[str] | None, typer.Option(help="A rule, repeated for several.")] = None,
) -> None:
    """Run a loop by each rule and compare."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as temporary:
        place = folder or Path(temporary)
        train = laptop("supervised", prepare_cohort(place), [*_QUICK, f"steps={steps}"])
        start = place / "self_training" / "start"
        weights = train_reference(train, start)
        first = _test_dsc(place, weights)
        rows = [["round 0", "", "", "", f"{first:.3f}", "", ""]]
        for name in rule or _RULES:
            started = time.perf_counter()
            loop = place / "self_training" / name
            found = _without(train, weights, loop) if name == "none" else _loop(train, start, loop, name)
            tested = [f"{_test_dsc(place, found[n]):.3f}" for n in (1, _ROUNDS)]
            labels = ["", "", ""] if name == "none" else _labels(loop / f"round_{_ROUNDS}")
            rows.append([name, *labels, *tested, f"{(time.perf_counter() - started) / 60:.1f}"])
            print(rows[-1], flush=True)
        print(
            markdown(["rule", "scans accepted", "kept", "label DSC", "test DSC, round 1", "round 2", "minutes"], rows)
        )


def _loop(train: ReferenceSettings, start: Path, folder: Path, rule: str) -> list[list[Path]]:
    """The weights of each round; round 0 is the start that all rules have in common."""
    if not (folder / "round_0").exists():
        shutil.copytree(start, folder / "round_0" / "run")
    chosen = PseudoLabelSettings(rule=cast("ScoreRule", rule))
    run_loop(LoopSettings(train=train, pseudo_label=chosen, rounds=_ROUNDS), folder)
    return [sorted((folder / f"round_{n}" / "run").glob("reference*.safetensors")) for n in range(_ROUNDS + 1)]


def _without(train: ReferenceSettings, weights: list[Path], folder: Path) -> list[list[Path]]:
    """The same steps on the labelled scans alone."""
    found = [weights]
    for number in range(1, _ROUNDS + 1):
        going_on = train.model_copy(update={"init": tuple(found[-1])})
        found.append(train_reference(going_on, folder / f"round_{number}" / "run"))
    return found


def _labels(folder: Path) -> list[str]:
    """How many scans were accepted, the share of structures that were, and their DSC with the truth."""
    judgements = read_decisions(folder)
    structures = [s for judged in judgements.values() for s in judged.structures]
    kept = [s for judged in judgements.values() if judged.accepted for s in judged.structures if s.trusted]
    scores = []
    for case, judged in judgements.items():
        if not judged.accepted:
            continue
        truth = abdomen(FIRST_SEED + int(case.rsplit("_", 1)[1]), shape=SHAPE).labels.array
        read = read_labels(folder / "labels" / f"{case}.nii.gz")
        labels, said = read.array, ~ignored_in(read)
        trusted = [s.structure for s in judged.structures if s.trusted]
        scores += [dsc((labels == k)[said], (truth == k)[said]) for k in trusted]
    accepted = sum(judged.accepted for judged in judgements.values())
    return [f"{accepted} of {len(judgements)}", f"{len(kept) / len(structures):.0%}", f"{np.nanmean(scores):.3f}"]


def _test_dsc(place: Path, weights: list[Path]) -> float:
    segmenter = Segmenter(SegmentationSettings(reference=tuple(weights)))
    scores = []
    for case in load_manifest(place / "prepared").cases:
        if case.split == "test":
            scan = StoredScan(place / "prepared" / case.file)
            found, true = segmenter(scan.scan()).labels.array, scan.labels().array
            scores += [dsc(found == k, true == k) for k in segmenter.networks.structures]
    return float(np.nanmean(scores))


if __name__ == "__main__":
    typer.run(main)
