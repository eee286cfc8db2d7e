"""Clips to learn from: repeatable, of the kinds and within the jumps that the settings say."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import ivos as package
from ivos.phantom import abdomen
from ivos.training.data.prepare import prepare
from ivos.training.propagation_settings import LearnFrom, STCNSettings
from ivos.training.stcn.clips import ClipSamples, kind_of_step, largest_jump, random_regions
from ivos.training.stcn.deform import BEYOND, random_deformation, sample_labels, sample_planes, view_grid


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("cohort")
    for number in range(2):
        phantom = abdomen(number, shape=(14, 64, 64))
        package.write(folder / "images" / f"{number}.nii.gz", phantom.scan)
        package.write(folder / "labels" / f"{number}.nii.gz", phantom.labels)
    prepare(folder, folder / "prepared")
    return sorted((folder / "prepared" / "scans").iterdir())


def _samples(stored: list[Path], **changes: float) -> ClipSamples:
    settings = STCNSettings(name="stcn", size=48, learn_from=LearnFrom(**changes))
    return ClipSamples(stored[:1], stored[1:], settings, steps=100, per_step=2, seed=3)


@pytest.mark.parametrize("kind", ["slices", "deformed", "cycle"])
def test_a_clip_repeats_by_number_and_shows_what_it_should(stored: list[Path], kind: str) -> None:
    shares = {"slices": 0.0, "deformed": 0.0, "cycle": 0.0} | {kind: 1.0}
    samples, told = _samples(stored, **shares), set()
    for number in range(8):
        clip = samples[number]
        again = _samples(stored, **shares)[number]
        np.testing.assert_array_equal(clip.images, again.images)
        np.testing.assert_array_equal(clip.labels, again.labels)
        assert clip.kind == kind
        assert clip.images.shape == (3, 3, 48, 48)
        assert clip.images.dtype == np.float32
        assert 0 <= clip.images.min() <= clip.images.max() <= 1
        told |= set(np.unique(clip.labels[0]).tolist())
        assert kind != "cycle" or not clip.labels[1:].any()
    assert 1 in told
    assert told <= {BEYOND, 0, 1, 2, 3}  # two structures, and the rest
    assert kind == "cycle" or 3 in told


def test_kinds_come_in_their_shares_and_jumps_grow_and_shrink() -> None:
    settings = STCNSettings(name="stcn", learn_from=LearnFrom(slices=3, deformed=1))
    kinds = Counter(kind_of_step(step, settings, seed=0) for step in range(2000))
    assert kinds["slices"] / 2000 == pytest.approx(0.75, abs=0.04)
    assert kinds["cycle"] == 0
    found = [largest_jump(step, 100, settings) for step in (0, 15, 25, 50, 95, 100)]
    assert found == [2, 4, 6, 8, 3, 3]


def test_image_and_labels_are_bent_alike() -> None:
    rng = np.random.default_rng(0)
    labels = np.zeros((64, 64), np.int16)
    labels[20:40, 16:50] = 1
    image = labels[None].astype(np.float32)
    for _ in range(5):
        where = random_deformation(64, rng)
        found, drawn = sample_planes(image, where)[0] > 0.5, sample_labels(labels, where) == 1
        assert 2 * (found & drawn).sum() / (found.sum() + drawn.sum()) > 0.97
        assert (drawn != (labels == 1)).mean() > 0.01


def test_a_view_is_about_its_middle_and_beyond_the_slice_nothing_is_known() -> None:
    labels = np.arange(100, dtype=np.int16).reshape(10, 10)
    for seed in range(4):
        view = sample_labels(labels, view_grid((4.5, 4.5), 20.0, 20, np.random.default_rng(seed)))
        assert (view[5:15, 5:15] >= 0).all()
        assert (view == BEYOND).sum() == 300
        assert view[5, 5:15].tolist() in (list(range(10)), list(range(9, -1, -1)))  # never upside down


def test_regions_are_connected_alike_and_neither_tiny_nor_all() -> None:
    rows, columns = np.indices((64, 64))
    plane = np.where((rows - 20) ** 2 + (columns - 20) ** 2 < 150, 0.8, 0.4).astype(np.float32)
    found = [random_regions(np.stack([plane] * 3), 2, np.random.default_rng(seed)) for seed in range(10)]
    disc = [labels for labels in found if (labels[plane > 0.6] > 0).any()]
    assert disc
    for labels in disc:
        region = labels == labels[20, 20]
        assert (region == (plane > 0.6)).mean() > 0.98
