"""A mask does not leap to where nothing led."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from ivos.nets.fast import MemorySlice
from ivos.phantom import random_shapes
from ivos.propagation.engines.fast import FastEngine
from ivos.propagation.engines.registry import create_engine
from ivos.propagation.propagate import propagate
from ivos.propagation.reach import advance, within_reach
from tests.propagation.scenes import drawn_on, moving_discs

if TYPE_CHECKING:
    from torch import Tensor

    from ivos.types import BoolArray, FloatArray


def spot(row: int, column: int, size: int = 32) -> BoolArray:
    found = np.zeros((size, size), bool)
    found[row, column] = True
    return found


def test_the_reach_and_no_farther() -> None:
    kept = within_reach(np.ones((32, 32), np.float32), spot(10, 10), spot(10, 10), reach=6.0)
    assert kept[10, 4:17].all()
    assert not kept[10, 17:].any()
    assert not kept[10, :4].any()
    assert kept[14, 14] == 1  # 5.7 pixels away
    assert kept[15, 15] == 0  # 7.1


def test_nothing_is_taken_away_where_nothing_led() -> None:
    answer = np.full((32, 32), 0.7, np.float32)
    nowhere = np.zeros((32, 32), bool)
    np.testing.assert_array_equal(within_reach(answer, nowhere, nowhere, reach=3.0), answer)


def test_flow_leads_a_part_of_it_but_not_all() -> None:
    answer = np.zeros((32, 32), np.float32)
    answer[4:8, 4:8] = answer[8, 20:24] = 0.9
    there, carried = answer[:8] > 0, spot(8, 22)
    before = np.zeros((32, 32), bool)
    before[:8] = there
    np.testing.assert_array_equal(within_reach(answer, before, carried, reach=3.0), answer)  # 4 of 20 pixels
    answer[9:12, 20:24] = 0.9  # 16 of 32
    kept = within_reach(answer, before, carried, reach=3.0)
    assert kept[:8].sum() == answer[:8].sum()
    assert not kept[8:].any()


@pytest.mark.parametrize(("before", "after", "step"), [((4, 4), (4, 7), 3), ((9, 9), (9, 9), 0), ((3, 0), (0, 4), 5)])
def test_what_moves_advances_and_what_shrinks_does_not(
    before: tuple[int, int], after: tuple[int, int], step: float
) -> None:
    assert advance(spot(*before), spot(*after)) == pytest.approx(step, rel=0.05)
    both = spot(*before) | spot(*after)
    assert advance(spot(*before), both) == pytest.approx(step, rel=0.05)
    assert advance(both, spot(*after)) == 0
    assert advance(spot(*before), np.zeros((32, 32), bool)) == 0


class Answering:
    """A network that claims the same places of every view."""

    temperature = 1.0

    def __init__(self, claimed: FloatArray) -> None:
        self._claimed = torch.from_numpy(claimed)

    def remember(self, shown: Tensor) -> MemorySlice:
        return MemorySlice(torch.zeros(len(shown), 4, 48), torch.zeros(len(shown), 4, 48))

    def answer(self, evidence: Tensor, scalars: Tensor, memory: MemorySlice) -> Tensor:  # noqa: ARG002
        return self._claimed.expand(len(evidence), -1, -1)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.001, 0.3))
def test_whatever_a_network_claims_no_mask_leaps(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    blobs = ndimage.gaussian_filter(rng.random((96, 96)), 3)
    claimed = (blobs > np.quantile(blobs, 1 - share)).astype(np.float32)
    scan, labels = moving_discs(slices=8, size=48)
    result = propagate(scan, drawn_on(labels, 3), engine=FastEngine(Answering(claimed)))
    for structure in (3, 8):
        assert not leaps(result.labels.array == structure, 3)


def test_a_far_corner_is_not_claimed() -> None:
    claimed = np.zeros((96, 96), np.float32)
    claimed[:12, :12] = 1
    scan, labels = moving_discs(slices=6, size=96)
    result = propagate(scan, drawn_on(labels, 2), engine=FastEngine(Answering(claimed))).labels.array
    assert not result[[0, 1, 3, 4, 5]].any()


def test_no_structure_of_some_random_phantoms_leaps() -> None:
    engine = create_engine("fast")
    for seed in range(3):
        phantom = random_shapes(seed, shape=(16, 64, 64))
        labels = phantom.labels.array
        drawn = np.zeros_like(labels)
        starts = {}
        for structure in np.unique(labels[labels > 0]).tolist():
            starts[structure] = int((labels == structure).sum(axis=(1, 2)).argmax())
            drawn[starts[structure]][labels[starts[structure]] == structure] = structure
        result = propagate(phantom.scan, phantom.labels.with_array(drawn), engine=engine, axis="axial").labels.array
        for structure, start in starts.items():
            assert not leaps(result == structure, start), (seed, structure)


def leaps(found: BoolArray, annotated: int) -> list[int]:
    """Slices on which more than 30 % lie farther than three times the last step from all of the slice before.

    From the annotated slice, which no step leads to, farther than the radius of a disc of its area.
    """
    leapt = []
    for numbers in (range(annotated + 1, len(found)), range(annotated - 1, -1, -1)):
        before = found[annotated]
        step = float(np.sqrt(before.sum() / np.pi)) / 3
        for number in numbers:
            after = found[number]
            if not (before.any() and after.any()):
                break
            away = ndimage.distance_transform_edt(~before)[after]
            if (away > 3 * max(step, 1)).mean() > 0.3:
                leapt.append(number)
            step = max(away.max(), ndimage.distance_transform_edt(~after)[before].max())
            before = after
    return leapt
