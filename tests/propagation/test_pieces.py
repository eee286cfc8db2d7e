"""Pieces of a structure that lie far apart are looked at one by one and join again."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ivos.nets.fast import FastNet
from ivos.nets.runners import TorchRunner
from ivos.propagation.engines.fast import FastEngine
from ivos.propagation.patch import Patch
from ivos.propagation.pieces import MOST_PIECES, join, pieces_of
from ivos.propagation.propagate import propagate
from tests.propagation.scenes import dice, drawn_on, volume_of


def patch(*corners: tuple[int, int], side: int = 12, size: int = 200) -> Patch:
    """Squares with their first row and column there."""
    mask = np.zeros((size, size), np.float32)
    for row, column in corners:
        mask[row : row + side, column : column + side] = 0.9
    found = Patch.of(mask)
    assert found is not None
    return found


def count(*corners: tuple[int, int]) -> int:
    return len(pieces_of([patch(*corners)]))


def test_far_apart_is_more_than_three_times_the_larger_ones_extent() -> None:
    assert count((10, 10)) == 1
    assert count((10, 10), (10, 34)) == 1  # both span 36 pixels
    assert count((10, 10), (10, 35)) == 2
    assert count((10, 10), (10, 34), (10, 58)) == 1  # the first two count as one of 36 pixels
    assert count((10, 10), (10, 34), (10, 150)) == 2
    assert count((10, 10), (150, 10), (10, 150), (150, 150)) == 4
    assert len(pieces_of([patch((10, 10), (150, 150))], most=1)) == 1


def test_beyond_the_most_the_nearest_are_taken_together() -> None:
    corners = [(0, 0), (0, 180), (180, 0), (180, 180), (90, 90), (90, 130)]
    pieces = pieces_of([patch(*corners)])
    assert len(pieces) == MOST_PIECES
    areas = sorted(round(piece.area / (0.9 * 144)) for (piece,) in pieces if piece is not None)
    assert sum(areas) == 6


def test_what_several_sources_hold_makes_pieces_together() -> None:
    mask, opposite = patch((10, 10)), patch((12, 10), (150, 150))
    (one, of_one), (other, of_other) = sorted(pieces_of([mask, opposite]), key=lambda parts: parts[0] is None)
    assert one is not None
    assert of_one is not None
    assert other is None
    assert of_other is not None
    assert (of_one.top, of_other.top) == (12, 150)


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float32, (24, 24), elements=st.floats(0, 1, width=16)),
    st.integers(1, 12),
    st.integers(1, 5),
)
def test_pieces_make_the_whole_again(small: np.ndarray, scale: int, most: int) -> None:
    whole = Patch.of(np.kron(small, np.ones((scale, scale), np.float32)))
    pieces = [piece for (piece,) in pieces_of([whole], most)]
    assert 1 <= len(pieces) <= most
    again, shape = join(pieces), (24 * scale, 24 * scale)
    if whole is None:
        assert again is None
        return
    assert again is not None
    np.testing.assert_array_equal(again.dense(shape), whole.dense(shape))
    held = sum((piece.dense(shape) > 0).astype(int) for piece in pieces if piece is not None)
    assert np.max(held) <= 1


@pytest.mark.parametrize("apart", [1, -1])
def test_two_parts_that_split_or_meet_are_both_followed(apart: int) -> None:
    """Small squares that leave each other by 12 pixels a slice, or come together: one label."""
    rng = np.random.default_rng(0)
    scan, labels = rng.normal(-40, 8, (7, 64, 160)), np.zeros((7, 64, 160), np.uint8)
    for z in range(7):
        away = 4 + 8 * (z if apart > 0 else 6 - z)
        for column in (80 - away, 80 + away):
            labels[z, 26:36, column - 5 : column + 5] = 1
    scan[labels > 0] = rng.normal(150, 8, int((labels > 0).sum()))
    torch.manual_seed(0)
    network = FastNet().eval()
    with torch.no_grad():  # nothing learned: the mask is where flow carries it
        for parameter in network.out.parameters():
            parameter.mul_(0)
    engine = FastEngine(TorchRunner(network, torch.device("cpu")))
    given, truth = volume_of(np.rint(scan).astype(np.int16)), volume_of(labels)
    result = propagate(given, drawn_on(truth, 0), engine=engine).labels.array
    assert min(dice(result[z] == 1, labels[z] == 1) for z in range(1, 7)) > 0.6
