"""Voxels labelled "ignore" are neither a structure nor background: in the store, in training, in scores."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import ivos
from ivos.nets.checkpoints import load_fast
from ivos.training.data.store import UNKNOWN, StoredScan, store
from ivos.training.fast.examples import Example, examples_of
from ivos.training.fast.module import FastTraining
from ivos.training.fast.rollouts import Rollout, Rollouts, goes_on
from ivos.training.fast.scans import part_in_turn
from ivos.training.propagation_settings import LearnFrom, PropagationSettings, STCNSettings
from ivos.training.reference import losses
from ivos.training.reference.boundary import active_boundary
from ivos.training.reference.slices import IGNORED, LabelledSlices, collate
from ivos.training.stcn.clips import ClipSamples
from ivos.training.stcn.deform import BEYOND
from ivos.training.stcn.module import propagate_scan
from ivos.volume.labels import IGNORE, scheme_from_names, structures_in
from tests.propagation.scenes import RecordingEngine, dice, moving_discs, volume_of

if TYPE_CHECKING:
    from ivos.volume.volume import Volume

SCAN, TRUTH = moving_discs(size=48)
NAMES = {3: "ball", 8: "disc", IGNORE: "ignore"}


def left_open() -> Volume:
    """The scene's labels; nothing is said of the second disc, nor of a plate through the first one."""
    array = TRUTH.array.copy()
    array[array == 8] = IGNORE
    array[5:7, :20] = IGNORE
    return TRUTH.with_array(array, NAMES)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    path = tmp_path_factory.mktemp("scans") / "a.b2nd"
    store(path, SCAN, left_open(), case="a", fingerprint="")
    return [path]


def test_the_store_keeps_them_and_counts_them_as_no_structure(stored: list[Path]) -> None:
    scan, labels = StoredScan(stored[0]), left_open().array
    np.testing.assert_array_equal(scan.labels().array, np.where(labels == IGNORE, UNKNOWN, labels.astype(int)))
    assert scan.info.volumes_ml == pytest.approx({3: (labels == 3).sum() * 0.002})
    assert scan.info.ignored_ml == pytest.approx((labels == IGNORE).sum() * 0.002)
    assert list(scan.info.runs) == [3]


def test_they_have_no_colour_of_a_structure() -> None:
    red, green, blue = scheme_from_names(NAMES).colour(IGNORE)
    assert red == green == blue
    assert structures_in(np.array([[0, 3], [IGNORE, 8]]), NAMES) == [3, 8]
    assert structures_in(np.array([[0, 3], [IGNORE, 8]]), {IGNORE: "rostrum"}) == [3, 8, IGNORE]
    assert structures_in(np.array([[0, 3], [UNKNOWN, 8]])) == [3, 8]


@pytest.mark.parametrize(
    "loss", [losses.cross_entropy, losses.dice, losses.ohem, losses.lovasz, losses.focal, active_boundary]
)
def test_no_loss_of_slices_sees_them(stored: list[Path], loss: Any) -> None:
    slices = LabelledSlices(stored, [3], size=48, neighbours=0, seed=1)
    labels = collate([slices[number] for number in range(6)])["labels"]
    beyond = LabelledSlices(stored, [3, UNKNOWN], size=48, neighbours=0, seed=1)  # which calls them a structure
    ignored = collate([beyond[number] for number in range(6)])["labels"] == 2
    assert ignored.any()
    assert (labels[ignored] == IGNORED).all()
    logits = torch.randn((6, 2, 48, 48), generator=torch.Generator().manual_seed(0), requires_grad=True)
    gradient = torch.autograd.grad(loss(logits, labels), logits)[0].abs().sum(1)
    assert gradient.any()
    assert not gradient[ignored].any()


def test_clips_leave_them_out(stored: list[Path]) -> None:
    for kind in ("slices", "deformed"):
        shares = {"slices": 0.0, "deformed": 0.0, "cycle": 0.0} | {kind: 1.0}
        own = STCNSettings(name="stcn", size=48, structures=None, learn_from=LearnFrom(**shares))
        samples = ClipSamples(stored, [], own, steps=10, per_step=1, seed=0)
        clips = [samples[number] for number in range(6)]
        assert {int(n) for clip in clips for n in np.unique(clip.labels)} == {BEYOND, 0, 1}
        bright = np.concatenate([clip.images[:, 0][clip.labels == 0].ravel() for clip in clips])
        assert np.mean(bright > 0.52) < 0.05  # the second disc, of 80 HU, is not called background


def test_whole_scans_are_validated_without_them(stored: list[Path]) -> None:
    found, score = propagate_scan(RecordingEngine(), StoredScan(stored[0]))
    assert structures_in(found) == [3]
    true, ignored = left_open().array == 3, left_open().array == IGNORE
    left = np.arange(len(true)) != true.sum(axis=(1, 2)).argmax()
    assert (ignored & (found == 3))[left].any()
    assert score == pytest.approx(dice(((found == 3) & ~ignored)[left], true[left]))


@pytest.fixture(scope="module")
def walked(stored: list[Path]) -> Example:
    """A walk whose first slice after the drawn one has ignored pixels in view."""
    part = part_in_turn([StoredScan(stored[0])], 0)
    examples = [e for seed in range(3) for e in examples_of(part, np.random.default_rng(seed))]
    assert not any((example.masks & example.ignored).any() for example in examples)
    return next(e for e in examples if len(e.walked) == len(e.numbers) and not e.between and _begun(e).ignored.any())


def _begun(example: Example) -> Rollout:
    walk = Rollout(example)
    assert goes_on(walk)
    return walk


@pytest.mark.parametrize("there", [True, False])
def test_walks_teach_nothing_where_nothing_is_said(
    walked: Example, monkeypatch: pytest.MonkeyPatch, *, there: bool
) -> None:
    if not there:
        masks = walked.masks.copy()
        masks[1:] = False
        walked = replace(walked, masks=masks)
    training = FastTraining(load_fast(None).train(), PropagationSettings(steps=1), 1e-3)
    logits, presence = torch.full((1, 1, 96, 96), 0.5, requires_grad=True), torch.zeros(1, requires_grad=True)
    monkeypatch.setattr(training, "log", lambda *_, **__: None)
    monkeypatch.setattr(training.network, "forward", lambda *_: (logits, presence))
    loss = training.training_step(next(iter(Rollouts([walked], 1))), 0)
    taught, told = torch.autograd.grad(loss, (logits, presence))
    ignored = torch.from_numpy(_begun(walked).ignored > 0)[None, None]
    assert taught[~ignored].all()
    assert not taught[ignored].any()
    assert bool(told.any()) == there  # it may be where nothing is said


def test_masks_where_nothing_is_said_are_not_looked_at(walked: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    training = FastTraining(load_fast(None).train(), PropagationSettings(steps=1), 1e-3)
    monkeypatch.setattr(training, "log", lambda *_, **__: None)
    otherwise = walked.masks.copy()
    otherwise[1:] |= walked.ignored[1:]
    first, second = (
        training.training_step(next(iter(Rollouts([replace(walked, masks=masks)], 1))), 0).item()
        for masks in (walked.masks, otherwise)
    )
    assert first == pytest.approx(second, rel=1e-5)


def test_answers_are_scored_where_something_is_said(walked: Example) -> None:
    first, second = _begun(walked), _begun(walked)
    first.advance(first.truth)
    second.advance(np.maximum(second.truth, second.ignored))
    assert second.counts == first.counts
    assert first.counts.shared > 0


def test_they_count_for_nothing_in_scores() -> None:
    truth, found = left_open(), TRUTH.with_array(TRUTH.array.copy())
    found.array[5:7, :20] = 3  # all wrong, but where nothing is known
    scores = ivos.evaluate(found, truth)
    assert [(score.structure, score.dsc, score.nsd, score.hd95_mm) for score in scores] == [(3, 1.0, 1.0, 0.0)]
    organs = volume_of(np.where(TRUTH.array == 3, 1, np.where(TRUTH.array == 8, 20, 0)).astype(np.uint8))
    organs = organs.with_array(organs.array, {20: "ignore"})
    flare = ivos.evaluate(organs.with_array((TRUTH.array > 0).astype(np.uint8)), organs, protocol="flare22")
    assert flare[0].dsc == 1
    assert not math.isnan(flare[1].dsc)
