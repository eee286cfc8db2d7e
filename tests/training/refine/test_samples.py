"""What the refinement network learns from."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from ivos.nets.refine import NUMBERS, PLANES, RefineNet
from ivos.propagation.engines.registry import create_engine
from ivos.training.fast.scans import synthetic
from ivos.training.refine.crops import Crop, crops_of, load_crops, save_crops
from ivos.training.refine.module import _loss
from ivos.training.refine.samples import Samples, augment, collate, full_sample

if TYPE_CHECKING:
    from pathlib import Path

PROPAGATED = PLANES.index("propagated")


@pytest.fixture(scope="module")
def crops() -> list[Crop]:
    engine = create_engine("nearest")
    return [crop for number in (5, 6, 7) for crop in crops_of(synthetic(number), engine, np.random.default_rng(number))]


def test_crops_come_back_from_their_file(crops: list[Crop], tmp_path: Path) -> None:
    save_crops(crops[:3], tmp_path / "1.npz")
    for before, after in zip(crops, load_crops(tmp_path / "1.npz"), strict=False):
        np.testing.assert_array_equal(before.planes, after.planes)
        np.testing.assert_array_equal(before.truth, after.truth)
        np.testing.assert_array_equal(before.numbers, after.numbers)


def test_annotated_slices_are_right_and_not_asked_for(crops: list[Crop]) -> None:
    for crop in crops:
        known = ~crop.asked
        found, true = crop.planes[known, PROPAGATED] > 127, crop.truth[known] > 127
        np.testing.assert_array_equal(found, true)


def test_a_varied_sample_keeps_what_belongs_together(crops: list[Crop]) -> None:
    for seed, crop in enumerate(crops):
        sample = augment(crop, np.random.default_rng(seed))
        present = sample.numbers[:, NUMBERS.index("present")] > 0
        assert not sample.asked[present].any()
        np.testing.assert_allclose(sample.planes[present, PROPAGATED], sample.truth[present], atol=0.01)
        np.testing.assert_array_equal(sample.planes[:, PLANES.index("known")].any((1, 2)), sample.asked == 0)


def test_samples_repeat_by_number(crops: list[Crop], tmp_path: Path) -> None:
    save_crops(crops, tmp_path / "1.npz")
    first, again = (list(islice(Samples([tmp_path / "1.npz"], first=4), 3)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.planes, other.planes)


def test_a_batch_counts_only_what_is_asked_for(crops: list[Crop]) -> None:
    samples = [full_sample(crop) for crop in crops[:2]]
    batch = collate(samples)
    assert batch.counted.sum() == sum(int(s.asked.sum()) * s.truth[0].size for s in samples)
    logits = 20 * (batch.truth - 0.5)
    spoiled = torch.where(batch.counted > 0, logits, -logits)
    presence = torch.full(batch.numbers.shape[:2], 20.0)
    assert _loss(logits, presence, batch) == _loss(spoiled, presence, batch)


def test_what_fills_a_batch_up_changes_no_answer(crops: list[Crop]) -> None:
    torch.manual_seed(1)
    network = RefineNet().eval()
    torch.nn.init.normal_(network.out.weight, std=0.1)
    small, large = sorted((full_sample(crop) for crop in crops), key=lambda s: s.planes.size)[:: len(crops) - 1]
    depth = len(small.planes)
    if small.planes.shape[2:] != large.planes.shape[2:]:
        large = small
    alone, both = collate([small]), collate([small, large])
    with torch.inference_mode():
        one, _ = network(alone.planes, alone.numbers, alone.scalars)
        two, _ = network(both.planes, both.numbers, both.scalars)
    torch.testing.assert_close(one[0, : depth - 12], two[0, : depth - 12], rtol=1e-3, atol=1e-3)
