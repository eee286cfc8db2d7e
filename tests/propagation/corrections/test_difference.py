"""Difference-aware fusion: between old and new, and only where something was corrected."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ivos.nets.checkpoints import load_fusion
from ivos.nets.fusion import OURS, FusionNet
from ivos.propagation.bidirectional import SliceStack
from ivos.propagation.corrections.correct import Step, new_replaces_old
from ivos.propagation.corrections.difference import Difference, FlowCarrier
from ivos.propagation.corrections.difference_aware import DifferenceAware, to_fuse
from ivos.propagation.engines.flow import FlowEngine
from ivos.propagation.masks import Masks
from ivos.types import Axis
from tests.propagation.corrections.test_correct import annotated, masks_of, run, stack_of
from tests.propagation.scenes import dice, moving_discs


def saying(bias: float, fold: int) -> DifferenceAware:
    """A network that says the same of every pixel."""
    network = FusionNet(fold)
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    torch.nn.init.constant_(network.final_conv.bias, bias)  # type: ignore[arg-type]
    return DifferenceAware(network)


def step_of(old: np.ndarray, new: np.ndarray, since: float = 2, until: float = 3) -> Step:
    """A step on which everything that differs was corrected."""
    before, after = Masks.of(old), Masks.of(new)
    away = (np.full(len(old), value, np.float32) for value in (since, until))
    image = stack_of(1, old.shape[1], old.shape[2])[0]
    return Step(image, before, after, Difference.between(before, after), *away)


masks = arrays(np.float32, (2, 12, 14), elements=st.sampled_from([0, 0, 0.25, 0.5]))


@pytest.mark.parametrize("fold", [1, OURS])
@settings(max_examples=25)
@given(old=masks, new=masks, seed=st.integers(0, 5))
def test_it_lies_between_old_and_new(fold: int, old: np.ndarray, new: np.ndarray, seed: int) -> None:
    torch.manual_seed(seed)
    old[:, 3:6, 4:8], new[:, 4:9, 4:8] = 0.5, 0.0  # something to decide
    found = DifferenceAware(FusionNet(fold))(step_of(old, new)).dense()
    assert (found >= np.minimum(old, new) - 1e-6).all()
    assert (found <= np.maximum(old, new) + 1e-6).all()


@pytest.mark.parametrize("fold", [1, OURS])
def test_the_network_decides_where_they_differ(fold: int) -> None:
    old, new = np.zeros((2, 1, 40, 40), np.float32)
    old[0, 10:20, 10:20], new[0, 14:24, 12:22] = 1, 1
    step = step_of(old, new)
    for bias, expected in ((50, np.maximum(old, new)), (-50, np.minimum(old, new)), (0, (old + new) / 2)):
        np.testing.assert_allclose(saying(bias, fold)(step).dense(), expected, atol=1e-3)


def test_at_the_scan_s_end_the_new_mask_counts_alone() -> None:
    old, new = np.zeros((2, 1, 20, 20), np.float32)
    old[0, 2:9, 2:9], new[0, 4:12, 4:12] = 1, 1
    step = step_of(old, new, until=float("inf"))
    np.testing.assert_array_equal(saying(-50, 1)(step).dense(), new)
    untouched = replace(step, difference=Difference(Masks.of(old * 0), Masks.of(old * 0)))
    np.testing.assert_array_equal(saying(-50, 1)(untouched).dense(), old)


@pytest.mark.parametrize("fold", [1, OURS])
def test_a_correction_of_nothing_changes_nothing(fold: int) -> None:
    scan, truth = moving_discs(slices=9, size=40)
    stack, labels = SliceStack.of(scan, Axis.AXIAL, "ct"), truth.array
    rng = np.random.default_rng(0)
    old = [Masks.of(masks_of(plane).dense() * rng.uniform(0.3, 1, (2, 40, 40)).astype(np.float32)) for plane in labels]
    old[4] = masks_of(labels[4])
    found = run(stack, annotated(labels, (0, 4)), 4, lambda n: old[n], saying(50, fold), FlowEngine())
    assert len(found) == 8
    for n, kept in found.items():
        np.testing.assert_array_equal(kept, old[n].dense())


def test_one_corrected_structure_leaves_the_others_as_they_were() -> None:
    scan, truth = moving_discs(slices=9, size=40)
    stack, labels = SliceStack.of(scan, Axis.AXIAL, "ct"), truth.array
    old = [masks_of(np.where(plane == 3, 3, 0)) for plane in labels]  # label 8 was missed
    found = run(stack, annotated(labels, (0, 4)), 4, lambda n: old[n], saying(50, 1), FlowEngine())
    for n, now in found.items():
        np.testing.assert_array_equal(now[0], old[n].dense()[0])
        assert now[1].any()


def test_the_published_network_sees_the_slice_as_it_is() -> None:
    torch.manual_seed(1)
    network = FusionNet().eval()
    torch.nn.init.normal_(network.final_conv.weight, std=0.1)
    rng, (old, new) = np.random.default_rng(2), np.zeros((2, 1, 48, 56), np.float32)
    old[0, 16:26, 18:30], new[0, 20:30, 22:36] = rng.uniform(0, 1, (10, 12)), rng.uniform(0, 1, (10, 14))
    old[0, 18, 20], new[0, 18, 20] = 1, 0
    step = step_of(old, new, since=3, until=7)
    added, removed = step.difference.added.dense(), step.difference.removed.dense()
    whole = torch.from_numpy(np.concatenate([step.image.image, old, new, added, removed]))[None]
    with torch.inference_mode():
        fused = network(to_fuse(whole, torch.tensor([[0.3, 0.7]])))[0].sigmoid().numpy()
    expected = np.clip(fused, np.minimum(old, new), np.maximum(old, new))
    np.testing.assert_allclose(DifferenceAware(network)(step).dense(), expected, atol=1e-5)


def test_the_bundled_network_takes_the_better_of_two_halves() -> None:
    scan, truth = moving_discs(slices=17)
    stack, labels = SliceStack.of(scan, Axis.AXIAL, "ct"), truth.array
    stale = masks_of(labels[16])  # right there, and worse the further from it
    annotations = annotated(labels, (0, 8, 16))
    score = {}
    for name, merge in (("fused", DifferenceAware(load_fusion())), ("new", new_replaces_old), ("old", keeping)):
        found = run(stack, annotations, 8, lambda _: stale, merge)
        scores = [dice(found[n][k] > 0.5, labels[n] == label) for n in range(9, 16) for k, label in enumerate((3, 8))]
        score[name] = float(np.mean(scores))
    assert score["fused"] > max(score["new"], score["old"]) + 0.05


def keeping(step: Step) -> Masks:
    return step.old


def test_the_difference_goes_along_with_what_moves() -> None:
    scan, truth = moving_discs()
    stack, labels = SliceStack.of(scan, Axis.AXIAL, "ct"), truth.array
    nothing, disc = masks_of(labels[0] * 0), masks_of(labels[2])
    carrier = FlowCarrier()
    carrier.begin(stack[2], Difference.between(disc.only((False, True)), disc.only((True, False))))
    for n in range(3, 8):
        difference = carrier.carry(stack[n])
    added, removed = difference.added.dense(), difference.removed.dense()
    assert not added[1].any()
    assert not removed[0].any()
    for found, label in ((added[0], 3), (removed[1], 8)):
        centre, true = (np.argwhere(mask).mean(axis=0) for mask in (found > 0.5, labels[7] == label))
        assert np.abs(centre - true).max() < 1.5
    carrier.begin(stack[2], Difference.between(nothing, nothing))
    assert carrier.carry(stack[3]).added.patches == (None, None)
