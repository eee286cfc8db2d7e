"""Which labels give way on a slice, worked by hand."""

from __future__ import annotations

import numpy as np

from ivos.interactive.annotation_state import AnnotatedSlice, AnnotationState
from ivos.interactive.merging import merge_annotation, merge_prediction
from ivos.types import Axis


def test_what_is_drawn_takes_from_all_but_the_committed() -> None:
    labels = np.array([[1, 1, 2, 3, 0]], np.uint8)
    mask = np.array([[False, True, True, True, True]])
    assert merge_annotation(labels, 1, mask, committed=[3]).tolist() == [[0, 1, 1, 3, 1]]
    assert labels.tolist() == [[1, 1, 2, 3, 0]]


def test_a_guess_changes_neither_what_is_settled_nor_what_is_committed() -> None:
    labels = np.array([[1, 0, 2, 2, 3, 3, 4, 0, 1]], np.uint8)
    guess = np.array([[0, 1, 1, 1, 1, 0, 1, 1, 1]], np.uint8)
    nowhere, everywhere = np.zeros((1, 9), bool), np.ones((1, 9), bool)
    not_here = nowhere.copy()
    not_here[0, [7, 8]] = True  # structure 1 is drawn on slices of another axis that cross here
    settled = {1: not_here, 2: everywhere, 3: nowhere, 4: nowhere}
    after, taken = merge_prediction(labels, guess, chosen=[1], settled=settled, committed=[4])
    assert after.tolist() == [[0, 1, 2, 2, 1, 3, 4, 0, 1]]
    assert taken.tolist() == [[True, True, False, False, True, False, False, True, False]]


def test_where_a_person_has_said_something() -> None:
    slices = (Axis.AXIAL, 2, 7), (Axis.CORONAL, 1, 7), (Axis.SAGITTAL, 3, 7), (Axis.SAGITTAL, 0, 8)
    facts = AnnotationState(drawn=frozenset(AnnotatedSlice(*entry) for entry in slices))
    assert facts.settled(7, Axis.AXIAL, 2, (4, 3, 5)).all()
    crossed = facts.settled(7, Axis.AXIAL, 0, (4, 3, 5))
    assert crossed.astype(int).tolist() == [[0, 0, 0, 1, 0], [1, 1, 1, 1, 1], [0, 0, 0, 1, 0]]
    assert facts.settled(8, Axis.CORONAL, 2, (4, 3, 5)).astype(int).tolist() == [[1, 0, 0, 0, 0]] * 4
