"""Random structures: never the same twice, and of all the kinds that propagation has to follow."""

from __future__ import annotations

import numpy as np
import pytest

from ivos.phantom import Phantom, random_shapes


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
