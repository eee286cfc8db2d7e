"""Shapes between two drawn slices."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ivos.propagation.shape_interpolation import shapes_between

MASKS = arrays(bool, (7, 9))


@settings(max_examples=40)
@given(inner=MASKS, outer=MASKS, count=st.integers(0, 4))
def test_a_shape_within_another_grows_into_it(inner: np.ndarray, outer: np.ndarray, count: int) -> None:
    outer |= inner
    masks = shapes_between(inner, outer, count, (0.7, 2.0))
    assert len(masks) == count
    for before, after in zip([inner, *masks], [*masks, outer], strict=True):
        assert not (before & ~after).any()


@settings(max_examples=40)
@given(before=MASKS, after=MASKS, count=st.integers(0, 4))
def test_the_way_back_is_the_way_there(before: np.ndarray, after: np.ndarray, count: int) -> None:
    there, back = (shapes_between(*ends, count, (1.0, 1.0)) for ends in ((before, after), (after, before)))
    np.testing.assert_array_equal(there, back[::-1])


def test_towards_a_slice_without_it_a_shape_shrinks_to_nothing() -> None:
    disc = np.hypot(*np.ogrid[-10:11, -10:11]) < 9
    areas = [int(mask.sum()) for mask in shapes_between(disc, np.zeros_like(disc), 3, (1.0, 1.0))]
    assert disc.sum() > areas[0] > areas[1] > areas[2] > 0
