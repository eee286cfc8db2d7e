from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ivos.segmentation.postprocess import fill_holes, keep_largest_components


def test_the_largest_piece_stays_and_other_structures_are_left_alone() -> None:
    labels = np.zeros((6, 9, 9), np.uint8)
    labels[1:4, 1:4, 1:4], labels[5, 8, 8] = 2, 2
    labels[0, 0, 8], labels[5, 0, 0] = 7, 7
    keep_largest_components(labels, [2])
    assert (labels == 2).sum() == 27
    assert (labels == 7).sum() == 2


def test_voxels_that_share_a_corner_are_one_piece() -> None:
    labels = np.zeros((3, 3, 3), np.uint8)
    labels[0, 0, 0], labels[1, 1, 1], labels[2, 2, 2] = 1, 1, 1
    keep_largest_components(labels, [1])
    assert (labels == 1).sum() == 3


def test_a_hole_is_filled_and_a_structure_in_it_stays() -> None:
    labels = np.zeros((7, 7, 7), np.uint8)
    labels[1:6, 1:6, 1:6] = 4
    labels[3, 3, 3], labels[3, 3, 4] = 0, 9
    fill_holes(labels, [4])
    assert (labels == 4).sum() == 124
    assert labels[3, 3, 4] == 9


@given(arrays(np.uint8, (4, 5, 6), elements=st.integers(0, 2)))
def test_repairs_done_twice_change_nothing_more(labels: np.ndarray) -> None:
    keep_largest_components(labels, [1, 2])
    fill_holes(labels, [1, 2])
    once = labels.copy()
    fill_holes(labels, [1, 2])
    np.testing.assert_array_equal(labels, once)
    assert set(np.unique(labels)) <= {0, 1, 2}
