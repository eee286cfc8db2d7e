"""From strokes to masks: clicks where the last answer is most wrong, one scribble, or a box, and what comes of them.

python -m benchmarks.strokes [--scan SCAN --labels LABELS] [--phantoms 3] [--weights FILE] [--scribble-to-mask FILE]

Each structure on its largest axial slice. Beside the networks stand two methods that have learned nothing: growing a
region of like intensity from the strokes, and GrabCut, which begins with that region. All of them obey the strokes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import cv2
import numpy as np
import torch
import typer

from benchmarks.cases import cases_of, largest_slice
from benchmarks.measure import markdown
from ivos.metrics.overlap import dsc
from ivos.nets.checkpoints import load_scribble, load_strokes
from ivos.prompts.prompts import Strokes, click, scribble
from ivos.prompts.segmenters import ScribbleSegmenter, SmallStrokeSegmenter
from ivos.prompts.views import obeyed
from ivos.training.strokes.simulated import along, deepest, largest_error
from ivos.volume.boxes import bounding_box
from ivos.volume.windows import channels, windows_for

if TYPE_CHECKING:
    from ivos.prompts.prompts import StrokeSegmenter
    from ivos.types import BoolArray, FloatArray

_WANTED_DSC, _MOST_CLICKS = 0.9, 20
_SHOWN_CLICKS = (1, 2, 3, 5)
_LEAST_PIXELS = 30
_TIMED_PIXELS, _TIMED = 512, 10
_TOLERANCE = 0.06  # of a window: 24 HU of that for soft tissue
_MARGIN, _ROUNDS = 48, 3  # of GrabCut: pixels about what is drawn; iterations


@dataclass(frozen=True)
class Question:
    """A structure on a slice: (3, H, W) windows and its true mask (H, W)."""

    image: FloatArray
    truth: BoolArray


@dataclass(frozen=True)
class Result:
    """What a segmenter made of a question: DSC after each click, after a scribble, and after a box."""

    clicks: list[float]
    scribble: float
    box: float

    @property
    def clicks_needed(self) -> int:
        """Clicks to a DSC of 0.9, 20 where that is not reached."""
        return next((n for n, score in enumerate(self.clicks, start=1) if score >= _WANTED_DSC), _MOST_CLICKS)


def region_growing(image: FloatArray, strokes: Strokes, mask: BoolArray) -> FloatArray:
    """The pixels of like intensity that hang together with the positive strokes, the mask or the middle of the box."""
    window = cv2.GaussianBlur(image[0], (0, 0), 1.0)
    told = strokes.positive | mask
    if not told.any() and strokes.box is not None:
        top, left, bottom, right = strokes.box
        told[(top + bottom) // 2, (left + right) // 2] = True
    if not told.any():
        return np.zeros(strokes.shape, np.float32)
    like = np.abs(window - np.median(window[told])) < _TOLERANCE
    if strokes.box is not None:
        like &= _within(strokes)
    return obeyed((like | mask).astype(np.float32), strokes, told)


def grab_cut(image: FloatArray, strokes: Strokes, mask: BoolArray) -> FloatArray:
    """GrabCut (Rother et al., 2004) about what is drawn, from the grown region, the mask or the box on."""
    grown = region_growing(image, strokes, mask) > 0.5
    trimap = np.where(grown, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    if strokes.box is not None:
        trimap[:] = np.where(_within(strokes), cv2.GC_PR_FGD, cv2.GC_BGD)
    trimap[strokes.negative], trimap[strokes.positive] = cv2.GC_BGD, cv2.GC_FGD
    place = bounding_box(np.isin(trimap, (cv2.GC_PR_FGD, cv2.GC_FGD)), margin=_MARGIN)
    answer = grown.astype(np.float32)
    if place is None:
        return answer
    part, seen = np.ascontiguousarray(trimap[place]), np.ascontiguousarray(np.moveaxis(image, 0, -1)[place] * 255)
    cv2.setRNGSeed(0)
    if np.isin(part, (cv2.GC_PR_BGD, cv2.GC_BGD)).any():
        empty = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(seen.astype(np.uint8), part, None, *empty, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    answer[place] = np.isin(part, (cv2.GC_PR_FGD, cv2.GC_FGD))
    return obeyed(answer, strokes, mask)


def _within(strokes: Strokes) -> BoolArray:
    inside = np.zeros(strokes.shape, bool)
    assert strokes.box is not None  # noqa: S101 - asked for where there is one
    top, left, bottom, right = strokes.box
    inside[top:bottom, left:right] = True
    return inside


def asked(segmenter: StrokeSegmenter, question: Question) -> Result:
    """Clicks, a scribble and a box on one structure, each from nothing."""
    shape = (question.truth.shape[0], question.truth.shape[1])
    empty, none = np.zeros(shape, bool), Strokes.none(shape)
    line = scribble(shape, along(question.truth, np.random.default_rng(0))) & question.truth
    place = bounding_box(question.truth)
    assert place is not None  # noqa: S101 - a structure is not empty
    box = (place[0].start, place[1].start, place[0].stop, place[1].stop)
    drawn = [none.drawn(line, positive=True), Strokes(none.positive, none.negative, box)]
    scores = [dsc(segmenter(question.image, strokes, empty) > 0.5, question.truth) for strokes in drawn]
    return Result(_clicked(segmenter, question), *scores)


def _clicked(segmenter: StrokeSegmenter, question: Question) -> list[float]:
    """DSC after each click, until nothing of note is wrong; the last one stands for those that would follow."""
    truth, scores = question.truth, []
    strokes, mask = Strokes.none((truth.shape[0], truth.shape[1])), np.zeros_like(truth)
    for _ in range(_MOST_CLICKS):
        error = largest_error(truth, mask)
        if error is None:
            break
        region, missing = error
        pixels = click(strokes.shape, *deepest(region)) & region
        strokes = strokes.drawn(pixels, positive=missing)
        mask = segmenter(question.image, strokes, mask) > 0.5
        scores.append(dsc(mask, truth))
        if scores[-1] >= _WANTED_DSC and len(scores) >= max(_SHOWN_CLICKS):
            break
    return scores + scores[-1:] * (max(_SHOWN_CLICKS) - len(scores))


def questions(scan: Path | None, labels: Path | None, phantoms: int) -> list[Question]:
    """Every structure of the scans on its largest slice."""
    found = []
    for case in cases_of(scan, labels, phantoms):
        volume, truth = case.load()
        windows = windows_for(volume)
        for structure in (int(n) for n in np.unique(truth.array) if n):
            index = largest_slice(truth, structure)
            mask = truth.array[index] == structure
            if mask.sum() >= _LEAST_PIXELS:
                found.append(Question(channels(volume.array[index], windows), mask))
    return found


def milliseconds(segmenter: StrokeSegmenter, question: Question) -> float:
    """For an answer to a click at 512 x 512."""
    size = (_TIMED_PIXELS, _TIMED_PIXELS)
    image = np.stack([cv2.resize(window, size) for window in question.image])
    truth = cv2.resize(question.truth.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    strokes = Strokes.none(size).drawn(click(size, *deepest(truth)), positive=True)
    segmenter(image, strokes, np.zeros(size, bool))  # the first answer sets things up
    started = time.perf_counter()
    for _ in range(_TIMED):
        segmenter(image, strokes, np.zeros(size, bool))
    return 1000 * (time.perf_counter() - started) / _TIMED


def main(
    scan: Annotated[Path | None, typer.Option(exists=True, help="A scan with true labels; phantoms without.")] = None,
    labels: Annotated[Path | None, typer.Option(exists=True, help="Its true labels.")] = None,
    phantoms: Annotated[int, typer.Option(min=1, help="How many phantoms.")] = 3,
    weights: Annotated[Path | None, typer.Option(help="Of our network, instead of the bundled ones.")] = None,
    scribble_to_mask: Annotated[Path | None, typer.Option(help="Published checkpoint of MiVOS.")] = None,
) -> None:
    """Ask every segmenter the same."""
    device, asked_all = torch.device("cpu"), questions(scan, labels, phantoms)
    contenders: dict[str, StrokeSegmenter] = {"region growing": region_growing, "GrabCut": grab_cut}
    contenders["ours"] = SmallStrokeSegmenter(load_strokes(weights), device)
    if scribble_to_mask is not None:
        contenders["MiVOS"] = ScribbleSegmenter(load_scribble(scribble_to_mask), device)
    rows = []
    for name, segmenter in contenders.items():
        results = [asked(segmenter, question) for question in asked_all]
        clicks = [np.mean([result.clicks[n - 1] for result in results]) for n in _SHOWN_CLICKS]
        others = [np.mean([r.scribble for r in results]), np.mean([r.box for r in results])]
        needed = np.mean([result.clicks_needed for result in results])
        took = milliseconds(segmenter, asked_all[0])
        rows.append([name, *(f"{value:.3f}" for value in [*clicks, *others]), f"{needed:.1f}", f"{took:.0f}"])
    heads = [f"{n} click{'s' * (n > 1)}" for n in _SHOWN_CLICKS]
    print(f"{len(asked_all)} structures, mean DSC\n")
    print(markdown(["", *heads, "1 scribble", "box", f"clicks to {_WANTED_DSC}", "ms at 512 x 512"], rows))


if __name__ == "__main__":
    typer.run(main)
