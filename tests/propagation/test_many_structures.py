"""Hundreds of structures cost so many times one, and come out as they do by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ivos
from ivos.nets.fast import FastNet, MemorySlice
from ivos.nets.runners import TorchRunner
from ivos.propagation.corrections.difference import Difference
from ivos.propagation.engines import fast
from ivos.propagation.engines.fast import VIEWS_AT_ONCE, FastEngine
from ivos.propagation.masks import Masks, masks_of
from ivos.propagation.patch import Patch
from ivos.propagation.propagate import Propagation
from ivos.report.summary import structure_rows
from ivos.types import Axis
from tests.propagation.scenes import volume_of

if TYPE_CHECKING:
    from torch import Tensor


class Counting(TorchRunner):
    """Notes how many structures it is asked about at once."""

    def __init__(self, network: FastNet) -> None:
        super().__init__(network, torch.device("cpu"))
        self.remembered: list[int] = []
        self.answered: list[int] = []

    def remember(self, shown: Tensor) -> MemorySlice:
        self.remembered.append(len(shown))
        return super().remember(shown)

    def answer(self, evidence: Tensor, scalars: Tensor, memory: MemorySlice) -> Tensor:
        assert len(evidence) == len(scalars) == len(memory.keys)
        self.answered.append(len(evidence))
        return super().answer(evidence, scalars, memory)


@pytest.mark.slow
def test_the_network_is_asked_a_part_at_a_time_and_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = FastNet()
    count = 2 * VIEWS_AT_ONCE + 6
    tiles = np.arange(1, 101).reshape(10, 10).repeat(6, 0).repeat(6, 1)
    labels = np.where(tiles <= count, tiles, 0).astype(np.uint16)[None].repeat(3, 0)
    drawn = labels.copy()
    drawn[1:] = 0
    scan = volume_of((labels * 7 % 300).astype(np.int16))
    runner, whole = Counting(network), Counting(network)
    found = ivos.propagate(scan, scan.with_array(drawn), engine=FastEngine(runner), axis="axial")
    assert runner.answered[:3] == runner.remembered[:3] == [VIEWS_AT_ONCE, VIEWS_AT_ONCE, 6]
    assert max(runner.answered) == VIEWS_AT_ONCE
    monkeypatch.setattr(fast, "VIEWS_AT_ONCE", count)
    expected = ivos.propagate(scan, scan.with_array(drawn), engine=FastEngine(whole), axis="axial")
    assert whole.answered[0] == count
    np.testing.assert_array_equal(found.labels.array, expected.labels.array)
    assert np.abs(found.confidence.array.astype(int) - expected.confidence.array).max() <= 1


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 9), min_size=1, max_size=5, unique=True))
def test_masks_of_all_structures_are_those_of_each(seed: int, chosen: list[int]) -> None:
    rng = np.random.default_rng(seed)
    structures = tuple(sorted(chosen))
    labels = (rng.integers(0, 10, (7, 11)) * (rng.random((7, 11)) < rng.random())).astype(np.uint8)
    values = rng.uniform(0.5, 1, labels.shape).astype(np.float32)
    same(masks_of(labels, structures), Masks((7, 11), tuple(Patch.of(labels == k) for k in structures)))
    weighed = np.stack([np.where(labels == k, values, np.float32(0)) for k in structures])
    old, new = masks_of(labels, structures, values), masks_of(np.roll(labels, 1, 0), structures)
    same(old, Masks.of(weighed))
    difference = Difference.between(old, new)
    same(difference.added, Masks.of(np.maximum(new.dense() - old.dense(), 0)))
    same(difference.removed, Masks.of(np.maximum(old.dense() - new.dense(), 0)))


def same(found: Masks, expected: Masks) -> None:
    assert found.shape == expected.shape
    for one, other in zip(found.patches, expected.patches, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert (one.top, one.left, one.values.dtype) == (other.top, other.left, other.values.dtype)
            np.testing.assert_array_equal(one.values, other.values)


def test_what_a_result_holds_of_each_structure() -> None:
    labels, confidence = np.zeros((3, 4, 5), np.uint16), np.full((3, 4, 5), 9, np.uint8)
    labels[0, 1, 1:4], confidence[0, 1, 1:4] = 700, (255, 51, 0)
    labels[2, 0, 0], confidence[2, 0, 0] = 700, 204
    labels[1, 3, :2], confidence[1, 3, :2] = 3, 255
    scan = volume_of(np.zeros((3, 4, 5), np.int16))
    result = Propagation(scan.with_array(labels, {3: "small"}), scan.with_array(confidence), Axis.AXIAL, (0,))
    voxel_ml = scan.geometry.voxel_volume_ml
    assert structure_rows(result) == [
        {"label": 3, "name": "small", "volume_ml": round(2 * voxel_ml, 3), "slices": 1, "probability": 1.0},
        {"label": 700, "name": "label 700", "volume_ml": round(4 * voxel_ml, 3), "slices": 2, "probability": 0.5},
    ]
    across = Propagation(result.labels, result.confidence, Axis.SAGITTAL, (0,))
    assert [row["slices"] for row in structure_rows(across)] == [2, 4]
