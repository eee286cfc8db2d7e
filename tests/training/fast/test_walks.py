"""Examples to learn from, and walks over them: endless, repeatable, and of use."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ivos.training.fast.examples import Example, Examples
from ivos.training.fast.rollouts import Rollout, Rollouts, goes_on

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def taken() -> Iterator[list[Example]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ivos.training.fast.examples._WAITING", 8)  # fewer that wait are fewer to make
        yield list(islice(Examples(first=5), 40))


def test_they_repeat_by_number(taken: list[Example]) -> None:
    for first, second in zip(taken, islice(Examples(first=5), 2), strict=False):
        np.testing.assert_array_equal(first.images, second.images)
    other = next(iter(Examples(first=50)))
    assert other.images.shape != taken[0].images.shape or not np.array_equal(other.images, taken[0].images)


def test_the_first_slice_shows_the_structure_and_some_end(taken: list[Example]) -> None:
    for example in taken:
        assert len(example.images) == len(example.masks) == len(example.numbers)
        assert example.masks[0].sum() >= 12
        assert not (example.masks[example.walked] & example.passes[0].others).all(axis=(1, 2)).any()
    ended = [not example.masks[example.walked[-1]].any() for example in taken]
    assert 0.05 < np.mean(ended) < 0.9


def test_both_directions_wider_steps_and_drawn_ends(taken: list[Example]) -> None:
    assert {example.numbers[1] - example.numbers[0] for example in taken} == {-2, -1, 1, 2}
    assert {example.between for example in taken} == {False, True}


def test_a_walk_between_drawn_slices_goes_there_and_back(taken: list[Example]) -> None:
    example = next(e for e in taken if e.between and e.masks[e.walked].any(axis=(1, 2)).all())
    walk, visited = Rollout(example), []
    while goes_on(walk):
        step = walk.step()
        visited.append((step.index, step.opposed))
        walk.advance(walk.truth)
    inside = list(example.numbers[1 : example.walked[-1]])
    assert visited == [(n, False) for n in inside] + [(n, True) for n in inside[::-1]]


def test_right_answers_count_as_right_and_lost_structures_as_missed(taken: list[Example]) -> None:
    example = max((e for e in taken if not e.between), key=lambda e: int(e.masks.any(axis=(1, 2)).sum()))
    asked = example.masks[list(example.walked)[1:]]
    right = Rollout(example)
    while goes_on(right):
        right.advance(right.truth)
    assert right.counts.dsc is not None
    assert right.counts.dsc > 0.8
    lost = Rollout(example)
    assert goes_on(lost)
    lost.advance(np.zeros((96, 96), np.float32))
    assert not goes_on(lost)
    assert (lost.counts.shared, lost.counts.false, lost.counts.missed) == (0, 0, asked.sum())


def test_a_walk_that_does_not_stop_is_followed_past_the_end(taken: list[Example]) -> None:
    """What overgrowth leads to is what the network has to learn from."""
    example = next(e for e in taken if not e.between and not e.masks[list(e.walked)[-4:]].any())
    walk, steps = Rollout(example), 0
    while goes_on(walk):
        walk.advance(np.full((96, 96), 0.9, np.float32))
        steps += 1
    assert steps == len(example.walked) - 1
    assert walk.counts.false > 0


def test_finished_walks_make_room_for_new_ones(taken: list[Example]) -> None:
    walks = next(iter(Rollouts(taken, 5)))
    for _ in range(4):
        under_way = walks.under_way()
        assert len(under_way) == 5
        for walk in under_way:
            walk.advance(walk.truth)
