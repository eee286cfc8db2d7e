"""Prompts on a panel's slices: clicks where the last mask is most wrong, one scribble, or a box; how good masks are.

Each structure on its largest slice, alone; a limited number of structures per scan, sampled with a seed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.cases import largest_slice, measurable
from benchmarks.panel.prompt_floors import grab_cut, region_growing
from ivos.metrics.overlap import dsc
from ivos.prompts.prompts import Strokes, click, scribble
from ivos.prompts.segmenters import stroke_segmenter
from ivos.training.strokes.simulated import deepest_pixel, largest_error, points_along
from ivos.volume.boxes import bounding_box
from ivos.volume.windows import channels, windows_for

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.cases import Case
    from ivos.prompts.prompts import StrokeSegmenter
    from ivos.types import Array, BoolArray, FloatArray

PROMPTS = "prompts"
"""This protocol's name."""
SEGMENTERS = ("network", "region growing", "GrabCut")
WANTED_DSC, MOST_CLICKS = 0.9, 20
SHOWN_CLICKS = (1, 3, 5)
_LEAST_PIXELS = 30


@dataclass(frozen=True)
class Question:
    """A structure on a slice: (3, H, W) windows and its true mask (H, W)."""

    image: FloatArray
    truth: BoolArray

    @property
    def nothing(self) -> tuple[Strokes, BoolArray]:
        """No prompts, and no mask."""
        shape = (self.truth.shape[0], self.truth.shape[1])
        return Strokes.none(shape), np.zeros(shape, bool)

    @property
    def once(self) -> dict[str, Strokes]:
        """One scribble along the structure, and the box that it just fits into."""
        strokes, _ = self.nothing
        line = scribble(strokes.shape, points_along(self.truth, np.random.default_rng(0))) & self.truth
        place = bounding_box(self.truth)
        assert place is not None  # noqa: S101 - a structure is not empty
        box = (place[0].start, place[1].start, place[0].stop, place[1].stop)
        return {"scribble": strokes.with_stroke(line, positive=True), "box": replace(strokes, box=box)}


@dataclass(frozen=True)
class PromptScore:
    """How one structure came out of prompts.

    Attributes:
        structure: label id.
        name: its name.
        slice: the slice's number.
        clicks: DSC after each click, until it is reached or nothing of note is wrong.
        scribble: DSC after one scribble.
        box: after a box.
        milliseconds: an answer took, mean.
    """

    structure: int
    name: str
    slice: int
    clicks: tuple[float, ...]
    scribble: float
    box: float
    milliseconds: float

    def after(self, clicks: int) -> float:
        """DSC after that number of clicks, or after the last one where fewer were needed."""
        return self.clicks[min(clicks, len(self.clicks)) - 1]

    @property
    def clicks_needed(self) -> float:
        """Clicks to a DSC of 0.9; NaN where 20 do not reach it."""
        return next((float(n) for n, score in enumerate(self.clicks, start=1) if score >= WANTED_DSC), float("nan"))


@dataclass(frozen=True)
class PromptCaseScore:
    """A scan's structures."""

    case: str
    structures: tuple[PromptScore, ...]


def segmenter_of(name: str, weights: Path | None) -> StrokeSegmenter:
    """One of :data:`SEGMENTERS`; the network with other weights, of ours or of MiVOS, if they are given."""
    floors: dict[str, StrokeSegmenter] = {"region growing": region_growing, "GrabCut": grab_cut}
    return floors[name] if name in floors else stroke_segmenter(weights, device="cpu")


def score_prompts(case: Case, segmenter: StrokeSegmenter, at_most: int) -> PromptCaseScore:
    """All chosen structures of a scan."""
    scan, labels = case.load()
    scores = []
    for structure in chosen_structures(labels.array, measurable(labels), at_most):
        index = largest_slice(labels, structure)
        question = Question(channels(scan.array[index], windows_for(scan)), labels.array[index] == structure)
        started = time.perf_counter()
        clicks = tuple(dsc(mask, question.truth) for _, mask in clicked(segmenter, question))
        once = {kind: dsc(answer(segmenter, question, s), question.truth) for kind, s in question.once.items()}
        took_ms = 1000 * (time.perf_counter() - started) / (len(clicks) + len(once))
        name = labels.names.get(structure, f"label {structure}")
        scores.append(PromptScore(structure, name, index, clicks, once["scribble"], once["box"], took_ms))
    return PromptCaseScore(case.name, tuple(scores))


def chosen_structures(labels: Array, structures: list[int], at_most: int) -> list[int]:
    """Those of at least 30 pixels on their largest slice, up to the limit, the same every time."""
    large = [k for k in structures if (labels == k).sum(axis=(1, 2)).max() >= _LEAST_PIXELS]
    return sorted(np.random.default_rng(0).permutation(large)[:at_most].tolist())


def answer(segmenter: StrokeSegmenter, question: Question, strokes: Strokes) -> BoolArray:
    """The mask (H, W) of prompts alone."""
    return np.asarray(segmenter(question.image, strokes, question.nothing[1]) > 0.5)


def clicked(segmenter: StrokeSegmenter, question: Question) -> list[tuple[Strokes, BoolArray]]:
    """Prompts and mask after each click, until the mask is right; at least five unless nothing of note is wrong."""
    (strokes, mask), rounds = question.nothing, []
    for number in range(1, MOST_CLICKS + 1):
        error = largest_error(question.truth, mask)
        if error is None:
            break
        region, missing = error
        strokes = strokes.with_stroke(click(strokes.shape, *deepest_pixel(region)) & region, positive=missing)
        mask = np.asarray(segmenter(question.image, strokes, mask) > 0.5)
        rounds.append((strokes, mask))
        if number >= max(SHOWN_CLICKS) and dsc(mask, question.truth) >= WANTED_DSC:
            break
    return rounds
