"""Pictures of the panel's worst structures, each made once more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.panel.prompts import Question, answer, clicked
from benchmarks.panel.protocol import found_labels
from benchmarks.pictures import prompt_tile, save_sheet, save_tiles
from benchmarks.scores import mean
from ivos.metrics.overlap import dsc
from ivos.types import Axis
from ivos.volume.windows import channels, windows_for

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.cases import Case
    from benchmarks.panel.prompts import PromptCaseScore, PromptScore
    from benchmarks.panel.propagators import Propagator
    from benchmarks.panel.protocol import CaseScore, Protocol
    from ivos.prompts.prompts import StrokeSegmenter

_PICTURED_CLICKS = (1, 3)


def picture_labels(
    folder: Path,
    scored: Sequence[tuple[Case, CaseScore]],
    engine: str,
    protocol: Protocol,
    propagator: Propagator,
    worst: int,
) -> list[Path]:
    """One PNG for each of the structures of lowest DSC; where they are."""
    every = [(case, score) for case, scores in scored for score in scores.structures]
    paths = []
    for rank, (case, score) in enumerate(sorted(every, key=lambda item: item[1].counts.dsc)[:worst], start=1):
        scan, labels = case.load()
        result, _, _ = found_labels(scan, labels, protocol, propagator)
        truth, found = labels.array == score.structure, result.labels == score.structure
        title = f"{case.name}: {score.name}, {engine}, DSC {score.counts.dsc:.3f}"
        paths.append(save_sheet(folder, f"{rank} {title.split(',')[0]}", title, scan, truth, found, score.annotated))
    return paths


def picture_prompts(
    folder: Path, scored: Sequence[tuple[Case, PromptCaseScore]], name: str, segmenter: StrokeSegmenter, worst: int
) -> list[Path]:
    """One PNG for each of the structures of lowest DSC after a click, a scribble and a box; where they are."""
    every = [(case, score) for case, scores in scored for score in scores.structures]
    paths = []
    for rank, (case, score) in enumerate(sorted(every, key=lambda item: _dsc_of_one(item[1]))[:worst], start=1):
        scan, labels = case.load()
        windows = channels(scan.array[score.slice], windows_for(scan))
        question = Question(windows, labels.array[score.slice] == score.structure)
        rounds = clicked(segmenter, question)
        shown = {f"{n} click{'s' * (n > 1)}": rounds[min(n, len(rounds)) - 1] for n in _PICTURED_CLICKS}
        shown |= {kind: (s, answer(segmenter, question, s)) for kind, s in question.once.items()}
        tiles = [
            prompt_tile(scan, score.slice, question.truth, mask, strokes, f"{kind}: {dsc(mask, question.truth):.3f}")
            for kind, (strokes, mask) in shown.items()
        ]
        title = f"{case.name}: {score.name}, slice {scan.source_index(Axis.AXIAL, score.slice)}, {name}"
        paths.append(save_tiles(folder, f"{rank} {case.name} {score.name} {name}", title, tiles))
    return paths


def _dsc_of_one(score: PromptScore) -> float:
    return mean((score.after(1), score.scribble, score.box))
