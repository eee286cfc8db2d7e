"""Simulated strokes lie where they should; a training goes on where it stopped, and its weights are of use."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ivos.errors import InputError
from ivos.nets.checkpoints import load_strokes
from ivos.nets.recognise import recognise
from ivos.prompts.prompts import Strokes
from ivos.training.fast.scans import synthetic
from ivos.training.strokes.examples import Example, Examples, examples_of
from ivos.training.strokes.rollouts import PromptRollout
from ivos.training.strokes.settings import StrokesSettings
from ivos.training.strokes.simulated import correction, deepest_pixel, first_strokes
from ivos.training.strokes.train import train_strokes
from tests.cli.runner import refused

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.types import BoolArray


def blob(seed: int, shape: tuple[int, int] = (24, 31)) -> BoolArray:
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    mask = np.zeros(shape, bool)
    for _ in range(3):
        y, x, r = rng.uniform(0, shape[0]), rng.uniform(0, shape[1]), rng.uniform(2, 6)
        mask |= (rows - y) ** 2 + (columns - x) ** 2 < r**2
    return mask


@settings(max_examples=40)
@given(truth=st.integers(0, 999), mask=st.integers(0, 999), seed=st.integers(0, 999))
def test_corrections_lie_where_the_mask_is_wrong(truth: int, mask: int, seed: int) -> None:
    meant, found = blob(truth), blob(mask)
    strokes = Strokes.none((24, 31))
    corrected = correction(meant, found, strokes, np.random.default_rng(seed))
    if corrected is None:
        assert (meant ^ found).sum() < 100  # slivers alone
        return
    assert corrected.positive.any() != corrected.negative.any()
    assert not (corrected.positive & ~(meant & ~found)).any()
    assert not (corrected.negative & ~(found & ~meant)).any()


@settings(max_examples=40)
@given(truth=st.integers(0, 999), seed=st.integers(0, 999))
def test_the_first_stroke_is_of_the_structure(truth: int, seed: int) -> None:
    meant = blob(truth)
    strokes = first_strokes(meant, np.random.default_rng(seed))
    assert not strokes.negative.any()
    if strokes.box is None:
        assert strokes.positive.any()
        assert not (strokes.positive & ~meant).any()
    else:
        top, left, bottom, right = strokes.box
        assert meant[top:bottom, left:right].sum() > 0.6 * meant.sum()
    assert meant[deepest_pixel(meant)]


@pytest.fixture(scope="module")
def taken() -> list[Example]:
    return list(islice(examples_of(synthetic(5), np.random.default_rng(0)), 24))


def test_examples_show_a_structure_and_some_a_mask_already(taken: list[Example]) -> None:
    for example in taken:
        assert example.truth.sum() >= 12
        assert example.image.shape == (3, *example.truth.shape) == (3, *example.mask.shape)
    begun = [example.mask.any() for example in taken]
    assert 0.1 < np.mean(begun) < 0.8


def test_a_drawing_goes_on_until_it_is_right(taken: list[Example]) -> None:
    for example in taken[:6]:
        drawing = PromptRollout(example, strokes=8)
        while not drawing.over:
            evidence, truth = drawing.shown()
            assert np.isfinite(evidence).all()
            drawing.advance(truth)  # whoever knows the truth needs few strokes
        assert not drawing.scores or drawing.scores[-1] > 0.8
        assert len(drawing.scores) <= 8


@pytest.mark.filterwarnings("ignore")  # Lightning's own
def test_a_training_goes_on_where_it_stopped(
    tmp_path: Path, taken: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ivos.training.strokes.train._HELD_OUT", 2)
    monkeypatch.setattr(Examples, "__iter__", lambda _: iter(taken))
    for steps in (1, 2):
        path = train_strokes(StrokesSettings(steps=steps, workers=0, batch=2), tmp_path)
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["global_step"] == 2
    network = load_strokes(path)
    assert "for strokes" in recognise(path)[0].what
    begun = StrokesSettings(steps=1, workers=0, batch=2, init=path, optimiser={"rate": 1e-9, "warm_up": 0})  # type: ignore[arg-type]
    again = load_strokes(train_strokes(begun, tmp_path / "again"))
    for before, after in zip(network.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(after, before, rtol=0.01, atol=0.01)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="not a whole safetensors file"):
        load_strokes(path)


def test_a_mistyped_setting_is_refused(tmp_path: Path) -> None:
    assert "did you mean 'batch'" in refused("train", "strokes", "-o", tmp_path / "run", "bach=3")
    assert not (tmp_path / "run").exists()
