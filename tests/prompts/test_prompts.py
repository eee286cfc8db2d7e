"""Strokes are refused where they do not fit together, obeyed where they do, and change nothing elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ivos.errors import InputError
from ivos.nets.checkpoints import load_strokes
from ivos.nets.scribble import ScribbleNet
from ivos.nets.strokes import EVIDENCE, StrokesNet
from ivos.prompts.prompts import Strokes, click, scribble
from ivos.prompts.segmenters import ScribbleSegmenter, SmallStrokeSegmenter, stroke_segmenter
from ivos.volume.windows import CT_WINDOWS_HU, channels
from tests.propagation.scenes import dice, moving_discs

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from ivos.prompts.prompts import StrokeSegmenter
    from ivos.types import BoolArray, FloatArray

CPU = torch.device("cpu")


class Unchanged(nn.Module):
    """Answers what it is shown of the mask so far."""

    def forward(self, evidence: Tensor) -> Tensor:
        mask = EVIDENCE.index("mask")
        return evidence[:, mask : mask + 1].double().logit()


class PositiveAlone(nn.Module):
    """In place of the published network: just the positive strokes."""

    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[2] % 16 == 0
        assert x.shape[3] % 16 == 0
        return 20 * x[:, 4:5] - 10


def untrained() -> StrokesNet:
    torch.manual_seed(1)
    return StrokesNet().eval()


SEGMENTERS: dict[str, StrokeSegmenter] = {
    "ours": SmallStrokeSegmenter(untrained(), CPU),
    "published": ScribbleSegmenter(PositiveAlone(), CPU, working_size=32),  # type: ignore[arg-type]
}


@pytest.fixture(scope="module")
def ours() -> SmallStrokeSegmenter:
    return SmallStrokeSegmenter(load_strokes(), CPU)


@pytest.fixture(scope="module")
def slice_and_discs() -> tuple[FloatArray, BoolArray, BoolArray]:
    """A slice in its windows, a bright disc and a grey one on it."""
    scan, labels = moving_discs(size=96)
    return channels(scan.array[4], CT_WINDOWS_HU), labels.array[4] == 3, labels.array[4] == 8


def at(mask: BoolArray) -> BoolArray:
    """A click in the middle of a mask."""
    row, column = np.argwhere(mask).mean(0).round().astype(int)
    return click((mask.shape[0], mask.shape[1]), int(row), int(column))


@settings(max_examples=15)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    seed=st.integers(0, 2**16),
    boxed=st.booleans(),
    name=st.sampled_from(sorted(SEGMENTERS)),
)
def test_drawn_pixels_are_obeyed_on_slices_of_any_shape(
    shape: tuple[int, int], seed: int, boxed: bool, name: str
) -> None:
    rng = np.random.default_rng(seed)
    corner, far = (np.sort(rng.integers(0, length + 1, 2)) for length in shape)
    box = (int(corner[0]), int(far[0]), max(int(corner[1]), 1), max(int(far[1]), 1))
    boxed = boxed and box[0] < box[2] and box[1] < box[3]
    positive, negative, mask = (rng.random(shape) < share for share in (0.05, 0.1, 0.3 * rng.integers(2)))
    strokes = Strokes(positive, negative, box if boxed else None)
    answer = SEGMENTERS[name](rng.random((3, *shape), np.float32), strokes, mask)
    assert answer.shape == shape
    assert answer.dtype == np.float32
    assert answer.min() >= 0
    assert answer.max() <= 1
    assert (answer[positive] > 0.5).all()
    assert (answer[negative & ~positive] < 0.5).all()


@settings(max_examples=15)
@given(shape=st.tuples(st.integers(8, 90), st.integers(8, 90)), seed=st.integers(0, 2**16))
def test_what_the_network_leaves_stays_to_the_pixel(shape: tuple[int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < 0.4
    strokes = Strokes(rng.random(shape) < 0.02, rng.random(shape) < 0.02)
    segment = SmallStrokeSegmenter(Unchanged(), CPU)  # type: ignore[arg-type]
    found = segment(rng.random((3, *shape), np.float32), strokes, mask) > 0.5
    np.testing.assert_array_equal(found, (mask & ~strokes.negative) | strokes.positive)


@pytest.mark.parametrize("name", sorted(SEGMENTERS))
def test_nothing_drawn_changes_nothing(name: str) -> None:
    mask = np.zeros((20, 30), bool)
    mask[5:9, 6:12] = True
    image = np.random.default_rng(0).random((3, 20, 30), np.float32)
    for there in (mask, np.zeros_like(mask)):
        np.testing.assert_array_equal(SEGMENTERS[name](image, Strokes.none((20, 30)), there), there)


@pytest.mark.parametrize("name", sorted(SEGMENTERS))
def test_what_is_not_of_one_slice_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="all three must be of the same slice"):
        SEGMENTERS[name](np.zeros((3, 8, 9), np.float32), Strokes.none((8, 8)), np.zeros((8, 8), bool))


def test_strokes_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(InputError, match=r"not \(4, 4\) and \(4, 5\)"):
        Strokes(np.zeros((4, 4), bool), np.zeros((4, 5), bool))
    none = np.zeros((4, 6), bool)
    for box in ((0, 0, 5, 2), (-1, 0, 2, 2), (2, 0, 2, 2), (0, 4, 2, 7)):
        with pytest.raises(InputError, match="within a slice of 4 x 6"):
            Strokes(none, none, box)


def test_a_later_stroke_takes_an_earlier_one_back() -> None:
    shape = (10, 10)
    line, dot = scribble(shape, [(5, 1), (5, 8)], width=1), click(shape, 5, 5, radius=0)
    strokes = Strokes.none(shape).with_stroke(line, positive=True).with_stroke(dot, positive=False)
    assert line.sum() == 8
    assert dot.sum() == 1
    np.testing.assert_array_equal(strokes.positive, line & ~dot)
    np.testing.assert_array_equal(strokes.negative, dot)
    again = strokes.with_stroke(dot, positive=True)
    np.testing.assert_array_equal(again.positive, line)
    assert not again.negative.any()


@given(row=st.integers(-3, 12), column=st.integers(-3, 12), radius=st.integers(0, 4))
def test_a_click_is_a_disc_cut_off_at_the_edge(row: int, column: int, radius: int) -> None:
    rows, columns = np.mgrid[:10, :10]
    near = (rows - row) ** 2 + (columns - column) ** 2 <= (radius + 0.5) ** 2
    np.testing.assert_array_equal(click((10, 10), row, column, radius) & ~near, False)
    if 0 <= row < 10 and 0 <= column < 10:
        assert click((10, 10), row, column, radius)[row, column]


def test_a_click_a_scribble_or_a_box_finds_a_disc(
    ours: SmallStrokeSegmenter, slice_and_discs: tuple[FloatArray, BoolArray, BoolArray]
) -> None:
    image, *discs = slice_and_discs
    for disc in discs:
        none, empty = Strokes.none((96, 96)), np.zeros((96, 96), bool)
        rows, columns = (np.flatnonzero(disc.any(axis=axis)) for axis in (1, 0))
        box = (int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
        middle = int(rows.mean())
        line = scribble((96, 96), [(middle, int(columns[3])), (middle, int(columns[-4]))])
        for strokes, least in (
            (none.with_stroke(at(disc), positive=True), 0.8),
            (none.with_stroke(line, positive=True), 0.85),
            (Strokes(none.positive, none.negative, box), 0.85),
        ):
            answer = ours(image, strokes, empty)
            assert dice(answer > 0.5, disc) > least
            np.testing.assert_array_equal(ours(image, strokes, empty), answer)


def test_a_correction_leaves_the_rest(
    ours: SmallStrokeSegmenter, slice_and_discs: tuple[FloatArray, BoolArray, BoolArray]
) -> None:
    image, bright, grey = slice_and_discs
    none = Strokes.none((96, 96))
    without = ours(image, none.with_stroke(at(bright), positive=False), bright | grey) > 0.5
    assert not without[at(bright)].any()
    assert dice(without & grey, grey) > 0.95
    both = ours(image, none.with_stroke(at(grey), positive=True), bright) > 0.5
    assert dice(both & bright, bright) > 0.95
    assert dice(both & ~bright, grey) > 0.8


def test_strokes_at_the_edge_of_a_slice(ours: SmallStrokeSegmenter) -> None:
    truth = np.zeros((70, 50), bool)
    truth[:18, :22] = True
    image = channels(np.where(truth, 150, -50) + np.random.default_rng(0).normal(0, 8, truth.shape), CT_WINDOWS_HU)
    strokes = Strokes.none((70, 50)).with_stroke(scribble((70, 50), [(0, 0), (15, 18)]), positive=True)
    assert dice(ours(image, strokes, np.zeros_like(truth)) > 0.5, truth) > 0.8


def test_a_segmenter_is_chosen_by_its_weights(tmp_path: Path) -> None:
    torch.save(ScribbleNet().state_dict(), tmp_path / "s2m.pth")
    assert isinstance(stroke_segmenter(), SmallStrokeSegmenter)
    assert isinstance(stroke_segmenter(tmp_path / "s2m.pth"), ScribbleSegmenter)
