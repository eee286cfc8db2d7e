"""The engine that interpolates shapes, through propagation."""

from __future__ import annotations

import numpy as np

import ivos
from ivos.propagation.engines.registry import create_engine
from tests.propagation.scenes import dice, drawn_on, moving_discs, volume_of


def test_between_annotated_slices_the_radius_changes_evenly() -> None:
    rows, columns = np.mgrid[:48, :48]
    labels = np.zeros((9, 48, 48), np.uint8)
    for z in range(9):
        labels[z][(rows - 24) ** 2 + (columns - 24) ** 2 < (6 + z) ** 2] = 1
    truth = volume_of(labels)
    scan = truth.with_array(np.zeros(labels.shape, np.int16))  # the image says nothing
    found = ivos.propagate(scan, drawn_on(truth, 0, 8), engine=create_engine("shape"), modality="ct").labels.array
    assert all(dice(found[z] == 1, labels[z] == 1) > 0.97 for z in range(9))


def test_beyond_the_annotated_slices_there_is_nothing() -> None:
    scan, labels = moving_discs()
    found = ivos.propagate(scan, drawn_on(labels, 3, 8), engine=create_engine("shape")).labels.array
    assert not found[:3].any()
    assert not found[9:].any()
    assert set(np.unique(found[5])) == {0, 3, 8}


def test_towards_a_slice_where_a_structure_is_absent_it_shrinks_to_nothing() -> None:
    scan, labels = moving_discs()
    array = drawn_on(labels, 2, 8).array
    array[8][array[8] == 8] = 0
    drawn = labels.with_array(array)
    found = ivos.propagate(scan, drawn, engine=create_engine("shape"), complete=True).labels.array
    areas = [int((found[z] == 8).sum()) for z in range(2, 9)]
    assert areas == sorted(areas, reverse=True)
    assert areas[0] > areas[3] > 0
    assert areas[-1] == 0
