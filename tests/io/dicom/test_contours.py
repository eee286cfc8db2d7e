"""Masks to polygons and back: nothing is lost, and centres decide."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from ivos.io.dicom.contours import filled, outlines

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12))


def square(low: float, high: float) -> npt.NDArray[np.float64]:
    return np.array([[low, low], [low, high], [high, high], [high, low]])


@settings(max_examples=80, deadline=None)
@given(mask=MASKS)
def test_outlines_filled_are_the_mask(mask: npt.NDArray[np.bool_]) -> None:
    np.testing.assert_array_equal(filled(outlines(mask), (mask.shape[0], mask.shape[1])), mask)


@settings(max_examples=80, deadline=None)
@given(mask=MASKS, seed=st.integers(0, 99))
def test_outlines_through_the_centres_of_pixels_are_understood_too(mask: npt.NDArray[np.bool_], seed: int) -> None:
    """As OpenCV draws them, holes too, with what a file rounds away."""
    rng = np.random.default_rng(seed)
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    polygons = [points[:, 0, ::-1] + rng.uniform(-1e-3, 1e-3, (len(points), 2)) for points in found]
    np.testing.assert_array_equal(filled(polygons, (mask.shape[0], mask.shape[1])), mask)


def test_a_ring_is_one_polygon_that_walks_into_its_hole() -> None:
    ring = filled([square(1.5, 9.5), square(3.5, 6.5)], (11, 11))
    assert ring.sum() == 64 - 9
    assert len(outlines(ring)) == 1


def test_a_polygon_within_a_hole_is_inside_again_and_what_lies_outside_is_cut_off() -> None:
    nested = filled([square(-5, 30), square(1.5, 8.5), square(3.5, 6.5)], (10, 10))
    assert nested.sum() == 100 - 49 + 9
    assert nested[5, 5]
    assert not nested[2, 2]
    assert not filled([], (2, 3)).any()


def test_centres_decide() -> None:
    assert filled([square(0.6, 2.4)], (4, 4)).sum() == 4
    assert filled([square(0.2, 0.8)], (4, 4)).sum() == 0
    assert filled([square(1.0, 2.0)], (4, 4)).sum() == 4  # on the line is inside, on every side
