from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ivos.segmentation.reference_slices import (
    Candidates,
    Choice,
    at_random,
    largest_area,
    least_uncertain,
    most_structures,
    non_empty,
    spread,
)

# Slices 0, 3, 6, ... of three structures: a large one throughout, a small one low, one on a single slice
AREAS = np.array([[0, 0, 0], [40, 5, 0], [60, 9, 0], [90, 2, 7], [70, 0, 0], [30, 0, 0], [0, 0, 0]])
DOUBT = np.array([1.0, 0.3, 0.1, 0.2, 0.05, 0.4, 1.0])
SCAN = Candidates(3 * np.arange(7), AREAS, DOUBT)


def test_background_alone_makes_no_reference() -> None:
    assert non_empty(SCAN) == [3, 6, 9, 12, 15]


def test_the_largest_slice_of_each_structure() -> None:
    assert largest_area(SCAN) == [6, 9]
    assert largest_area(SCAN, at_most=1) == [9]
    assert largest_area(SCAN, at_most=3) == [6, 9, 12]


def test_most_structures_first_and_of_equal_ones_the_fuller() -> None:
    assert most_structures(SCAN, at_most=1) == [9]
    assert most_structures(SCAN, at_most=2) == [6, 9]


def test_the_surest_slice_of_each_stretch() -> None:
    assert least_uncertain(SCAN, at_most=1) == [12]
    assert least_uncertain(SCAN, at_most=2) == [6, 12]
    assert least_uncertain(SCAN, at_most=50) == [3, 6, 9, 12, 15]


def test_spread_takes_the_ends_of_large_structures_and_then_fills_gaps() -> None:
    assert spread(SCAN, at_most=3) == [3, 9, 15]
    assert spread(SCAN, at_most=4) == [3, 6, 9, 15]
    assert spread(SCAN, at_most=50) == [3, 6, 9, 12, 15]


def test_random_slices_repeat_with_the_seed() -> None:
    assert at_random(SCAN, at_most=3, seed=1) == at_random(SCAN, at_most=3, seed=1)
    assert len({tuple(at_random(SCAN, at_most=2, seed=seed)) for seed in range(20)}) > 3


CHOICES: dict[str, Choice] = {
    "non_empty": non_empty,
    "largest_area": largest_area,
    "largest_area, at most": lambda candidates: largest_area(candidates, at_most=4),
    "most_structures": lambda candidates: most_structures(candidates, at_most=4),
    "least_uncertain": lambda candidates: least_uncertain(candidates, at_most=4),
    "spread": lambda candidates: spread(candidates, at_most=4),
    "at_random": lambda candidates: at_random(candidates, at_most=4),
}


@pytest.mark.parametrize("name", CHOICES)
@given(arrays(np.intp, st.tuples(st.integers(1, 9), st.integers(1, 4)), elements=st.integers(0, 3)))
def test_references_show_something_and_come_in_order(name: str, areas: np.ndarray) -> None:
    candidates = Candidates(2 * np.arange(len(areas)), areas, np.linspace(0, 1, len(areas)))
    chosen = CHOICES[name](candidates)
    assert chosen == sorted(set(chosen))
    assert set(chosen) <= set(non_empty(candidates))
    assert bool(chosen) == bool(areas.any())
    if name not in ("non_empty", "largest_area"):
        assert len(chosen) <= 4
