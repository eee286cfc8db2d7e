from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivos.volume.geometry import Geometry
from ivos.volume.resample import grid_of_spacing, resample_labels, resample_scan
from ivos.volume.volume import Volume


def blocks() -> Volume:
    array = np.zeros((6, 8, 10), np.uint16)
    array[1:4, 2:6, 3:8], array[4:, :4, :4] = 7, 300
    return Volume.from_array(array, Geometry(array.shape, (2.0, 1.0, 0.5), (5.0, -3.0, 11.0)))


@settings(max_examples=50, deadline=None)
@given(st.tuples(*[st.floats(0.3, 4.0)] * 3))
def test_resampling_labels_never_invents_an_id(spacing_mm: tuple[float, float, float]) -> None:
    labels = blocks()
    moved = resample_labels(labels, grid_of_spacing(labels, spacing_mm))
    assert set(np.unique(moved.array)) <= {0, 7, 300}


def test_resampling_to_the_same_grid_changes_nothing() -> None:
    labels = blocks()
    np.testing.assert_array_equal(resample_labels(labels, labels.geometry).array, labels.array)


def test_half_the_spacing_and_back_is_the_identity() -> None:
    labels = blocks()
    finer = resample_labels(labels, grid_of_spacing(labels, (1.0, 0.5, 0.25)))
    assert finer.array.shape == (12, 16, 20)
    np.testing.assert_array_equal(finer.array, labels.array.repeat(2, 0).repeat(2, 1).repeat(2, 2))
    np.testing.assert_array_equal(resample_labels(finer, labels.geometry).array, labels.array)


def test_intensities_are_interpolated_linearly() -> None:
    ramp = np.broadcast_to(np.arange(8, dtype=np.float32) * 10, (4, 5, 8)).copy()
    scan = Volume.from_array(ramp, Geometry(ramp.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)))
    between = resample_scan(scan, Geometry((4, 5, 7), (1.0, 1.0, 1.0), (0.5, 0.0, 0.0)))
    assert between.array[2, 2].tolist() == pytest.approx([5, 15, 25, 35, 45, 55, 65])
