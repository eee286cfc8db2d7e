"""Prompts on a panel's slices: hand-worked scores, what the floors do, and the command."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from benchmarks.panel.cohorts import cohorts_of
from benchmarks.panel.prompt_floors import grab_cut, region_growing
from benchmarks.panel.prompts import (
    PromptCaseScore,
    PromptScore,
    Question,
    answer,
    chosen_structures,
    clicked,
    score_prompts,
)
from benchmarks.panel.tables import prompt_summary

import ivos
from ivos.metrics.overlap import dsc
from tests.propagation.scenes import volume_of

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.prompts.prompts import Strokes, StrokeSegmenter
    from ivos.types import BoolArray, FloatArray

SIDE = 12


def score(*clicks: float, scribble: float = 0.5, box: float = 0.5) -> PromptScore:
    return PromptScore(1, "one", 0, clicks, scribble, box, 10.0)


@pytest.fixture
def disc() -> Question:
    """A bright disc on a dark ground, in all windows."""
    rows, columns = np.mgrid[:64, :64]
    truth = (rows - 30) ** 2 + (columns - 34) ** 2 < 15**2
    return Question(np.repeat(np.where(truth, 0.8, 0.2)[None], 3, axis=0).astype(np.float32), truth)


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """A square structure on four slices that is largest on slice 3, and one of too few pixels."""
    labels = np.zeros((6, 40, 40), np.uint8)
    labels[1:5, 10:20, 10:20] = 1
    labels[3, 10 : 10 + SIDE, 10 : 10 + SIDE] = 1
    labels[1:6, 30:35, 30:35] = 2
    for folder, array in (("images", np.where(labels, 100, -50).astype(np.int16)), ("labels", labels)):
        (tmp_path / folder).mkdir()
        ivos.write(tmp_path / folder / "a.nii.gz", volume_of(array))
    return tmp_path


def as_drawn(image: FloatArray, strokes: Strokes, mask: BoolArray) -> FloatArray:
    """What is drawn and no more; of a box all of it."""
    assert image.shape[1:] == mask.shape
    found = (strokes.positive | mask) & ~strokes.negative
    if strokes.box is not None:
        top, left, bottom, right = strokes.box
        found[top:bottom, left:right] = True
    return np.asarray(found, np.float32)


def always(found: BoolArray) -> StrokeSegmenter:
    """The same mask, whatever is drawn."""

    def segmenter(image: FloatArray, strokes: Strokes, mask: BoolArray) -> FloatArray:
        assert image.shape[1:] == strokes.shape == mask.shape
        return found.astype(np.float32)

    return segmenter


def test_a_structure_is_scored_on_its_largest_slice(cohort: Path) -> None:
    case = cohorts_of([str(cohort)], 1)[0].cases[0]
    (one,) = score_prompts(case, as_drawn, 10).structures  # the other one has 25 pixels
    assert (one.structure, one.slice, one.box) == (1, 3, 1.0)
    pixels = 5  # of a click
    assert one.after(1) == pytest.approx(2 * pixels / (pixels + SIDE**2))
    assert len(one.clicks) == 20 or one.clicks[-1] >= 0.9
    assert list(one.clicks) == sorted(one.clicks)


def test_clicks_go_where_most_is_wrong(disc: Question) -> None:
    rounds = clicked(as_drawn, disc)
    first = np.argwhere(rounds[0][0].positive)
    assert np.abs(first.mean(axis=0) - (30, 34)).max() <= 1
    too_much = clicked(always(np.ones((64, 64), bool)), disc)
    assert not too_much[0][0].negative.any()
    assert too_much[1][0].negative.any()
    assert not (too_much[1][0].negative & disc.truth).any()


def test_clicks_end_where_nothing_is_wrong(disc: Question) -> None:
    rounds = clicked(always(disc.truth), disc)
    assert len(rounds) == 1


def test_clicks_needed() -> None:
    assert score(0.5, 0.95, 0.8, 0.7, 0.9).clicks_needed == 2
    assert math.isnan(score(*[0.89] * 20).clicks_needed)
    assert score(0.5, 0.97).after(5) == 0.97


def test_means_by_hand() -> None:
    """Clicks to .9 are a mean where it is reached; structures of a scan first, then scans."""
    one = PromptCaseScore("a", (score(0.2, *[0.4] * 19), score(0.6, 0.8, 0.95, 0.95, 0.95, box=0.9)))
    other = PromptCaseScore("b", (score(0.9, 0.9, 0.9, 0.9, 0.9),))
    figures = prompt_summary([one, other])
    assert figures["clicks_1"] == pytest.approx((0.4 + 0.9) / 2)
    assert figures["clicks_3"] == pytest.approx(((0.4 + 0.95) / 2 + 0.9) / 2)
    assert figures["box"] == pytest.approx((0.7 + 0.5) / 2)
    assert figures["clicks_needed"] == pytest.approx((3 + 1) / 2)
    assert figures["reach"] == pytest.approx((0.5 + 1) / 2)


def test_structures_are_chosen_alike_every_time() -> None:
    labels = np.zeros((1, 60, 60), np.uint8)
    for number in range(10):
        labels[0, 6 * number : 6 * number + 6, :6] = number + 1
    labels[0, 0, 0] = 11
    chosen = chosen_structures(labels, list(range(1, 12)), 4)
    assert len(chosen) == 4
    assert chosen == sorted(chosen)
    assert chosen == chosen_structures(labels, list(range(1, 12)), 4)
    assert chosen_structures(labels, list(range(1, 12)), 40) == list(range(1, 11))


@pytest.mark.parametrize("kind", ["scribble", "box"])
def test_floors_find_what_is_uniform(disc: Question, kind: str) -> None:
    assert dsc(answer(region_growing, disc, disc.once[kind]), disc.truth) > 0.9
    assert dsc(answer(grab_cut, disc, disc.once[kind]), disc.truth) > 0.9


def test_the_command_scores_and_pictures_prompts(cohort: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.panel", str(cohort), "--protocol", "prompts", "--per-structure"]
    command += ["--segmenter", "region growing", "--pictures", str(tmp_path / "pictures")]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    assert "| region growing | " in run.stdout
    assert "| label 1 | " in run.stdout
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 1
