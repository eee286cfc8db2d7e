"""Sequences to learn from: endless, repeatable, and of use."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from ivos.training.sequences import Sequence, Sequences


@pytest.fixture(scope="module")
def taken() -> list[Sequence]:
    return list(islice(Sequences(5, length=4), 60))


def test_they_repeat_by_seed_and_go_on_by_number(taken: list[Sequence]) -> None:
    again = list(islice(Sequences(5, length=4), 6))
    for first, second in zip(taken, again, strict=False):
        np.testing.assert_array_equal(first.images, second.images)
    other = next(iter(Sequences(5, length=4, first=1)))
    assert not np.array_equal(other.images, taken[0].images)


def test_the_first_slice_shows_the_structure_and_some_end(taken: list[Sequence]) -> None:
    for sequence in taken:
        assert sequence.images.shape[:2] == (5, 3)
        assert sequence.masks.shape == sequence.others.shape == (5, *sequence.images.shape[2:])
        assert sequence.masks[0].sum() >= 12
        assert not (sequence.masks * sequence.others).any()
        assert 0 <= sequence.images.min() <= sequence.images.max() <= 1
    ended = [not sequence.masks[-1].any() for sequence in taken]
    assert 0.05 < np.mean(ended) < 0.8


def test_both_directions_and_wider_steps(taken: list[Sequence]) -> None:
    steps = {sequence.numbers[1] - sequence.numbers[0] for sequence in taken}
    assert steps == {-2, -1, 1, 2}
