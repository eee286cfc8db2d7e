"""Random structures: never the same twice, and of all the kinds that propagation has to follow."""

from __future__ import annotations

import numpy as np
import pytest

from ivos.phantom import Phantom, random_shapes
from ivos.phantom.degrade import simulate_motion


@pytest.fixture(scope="module")
def cases() -> list[Phantom]:
    return [random_shapes(seed, shape=(16, 64, 64)) for seed in range(24)]


def structures(cases: list[Phantom]) -> list[np.ndarray]:
    return [c.labels.array == k for c in cases for k in np.unique(c.labels.array)[1:]]


def test_the_same_seed_gives_the_same_case_and_others_differ(cases: list[Phantom]) -> None:
    again = random_shapes(3, shape=(16, 64, 64))
    np.testing.assert_array_equal(again.scan.array, cases[3].scan.array)
    np.testing.assert_array_equal(again.labels.array, cases[3].labels.array)
    assert (cases[4].scan.array != cases[3].scan.array).mean() > 0.5


def test_structures_are_small_and_large_and_many_end_inside(cases: list[Phantom]) -> None:
    masks = structures(cases)
    sizes = [mask.sum() for mask in masks]
    assert len(masks) > 4 * len(cases)
    assert min(sizes) < 100 < 5000 < max(sizes)
    ends = [not (mask[0].any() and mask[-1].any()) for mask in masks]
    assert 0.5 < np.mean(ends) < 1.0


def test_slices_are_one_to_six_mm_apart(cases: list[Phantom]) -> None:
    steps = [case.scan.source.spacing_mm[0] for case in cases]
    assert 1 <= min(steps) < 1.6
    assert 4 < max(steps) <= 6
    assert random_shapes(0, shape=(8, 32, 32), step_mm=2.5).scan.source.spacing_mm == (2.5, 1.0, 1.0)


def test_any_brightness_and_some_are_hard_to_see(cases: list[Phantom]) -> None:
    contrasts = []
    for case in cases:
        for k in np.unique(case.labels.array)[1:]:
            mask = case.labels.array == k
            around = np.zeros_like(mask)
            for axis in range(1, 3):
                for shift in (-3, 3):
                    around |= np.roll(mask, shift, axis)
            around &= case.labels.array == 0
            if around.any():
                contrasts.append(float(case.scan.array[mask].mean() - case.scan.array[around].mean()))
    assert min(contrasts) < -300
    assert max(contrasts) > 300
    assert np.mean(np.abs(contrasts) < 100) > 0.1


def test_intensities_fill_their_range(cases: list[Phantom]) -> None:
    for case in cases:
        assert case.scan.array.dtype == np.int16
        assert case.scan.array.min() >= 0
        assert case.scan.array.max() <= 1000
        assert case.scan.array.std() > 50


def pieces_touching(labels: np.ndarray) -> float:
    """Share of pairs of neighbours in plane that belong to two different structures."""
    left, right = labels[:, :, :-1], labels[:, :, 1:]
    return float(((left != right) & (left > 0) & (right > 0)).mean())


def test_about_half_of_the_scans_are_densely_packed_and_their_structures_touch(cases: list[Phantom]) -> None:
    filled = np.array([(case.labels.array > 0).mean() for case in cases])
    touching = np.array([pieces_touching(case.labels.array) for case in cases])
    assert 0.2 < (touching > 0.02).mean() < 0.8
    assert filled.max() > 0.9
    assert filled.min() < 0.3


def test_labels_are_small_integers_on_the_scans_grid(cases: list[Phantom]) -> None:
    for case in cases:
        assert case.labels.array.dtype == np.uint8
        assert case.labels.array.shape == case.scan.array.shape == (16, 64, 64)


def test_brightness_changes_where_packed_structures_meet(cases: list[Phantom]) -> None:
    for case in cases:
        if pieces_touching(case.labels.array) > 0.02:
            steps = np.abs(np.diff(case.scan.array.astype(float), axis=2))
            edges = np.diff(case.labels.array.astype(int), axis=2) != 0
            assert steps[edges].mean() > 1.1 * steps[~edges].mean()


def test_motion_takes_labels_along() -> None:
    labels = np.zeros((6, 32, 32), np.uint8)
    labels[:, 10:20, 12:24] = 1
    pairs = [simulate_motion(labels.astype(np.float32), labels, np.random.default_rng(seed)) for seed in range(40)]
    assert 0.05 < np.mean([(masks != labels).any() for _, masks in pairs]) < 0.5
    for image, masks in pairs:
        assert np.abs(image - masks).max() < 0.8  # a pixel between two is mixed, and goes to the nearer


def test_structures_grow_with_the_slice_and_small_ones_stay() -> None:
    wide = structures([random_shapes(seed, shape=(6, 192, 160), step_mm=4.0) for seed in range(8)])
    areas = [mask.sum(axis=(1, 2)).max() for mask in wide]
    assert max(areas) > 3000
    assert min(areas) < 60
