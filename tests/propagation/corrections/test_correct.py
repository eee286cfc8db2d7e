"""Corrections carried through a volume that has masks: where they go, what they leave alone, what they make better."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ivos.errors import InputError
from ivos.propagation.annotations import Annotations
from ivos.propagation.bidirectional import SliceStack
from ivos.propagation.corrections.correct import Step, by_distance, correct, new_replaces_old, visits
from ivos.propagation.corrections.difference import Difference
from ivos.propagation.engines.flow import FlowEngine
from ivos.propagation.engines.nearest import NearestEngine
from ivos.propagation.fusion import decide
from ivos.propagation.masks import Masks
from ivos.types import Axis
from tests.propagation.scenes import RecordingEngine, dice, moving_discs, volume_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ivos.propagation.corrections.correct import Merge
    from ivos.propagation.engines.protocol import Engine, Slice


class Still:
    """Leaves a difference where it is: flow takes its time."""

    def begin(self, image: Slice, difference: Difference) -> None:  # noqa: ARG002
        self._difference = difference

    def carry(self, image: Slice) -> Difference:  # noqa: ARG002
        return self._difference


MERGES: list[Merge] = [new_replaces_old, by_distance]
LABELS = (3, 8)


def stack_of(slices: int, height: int = 10, width: int = 11) -> SliceStack:
    array = np.random.default_rng(0).integers(-200, 300, (slices, height, width)).astype(np.int16)
    return SliceStack.of(volume_of(array), Axis.AXIAL, "ct")


def annotated(labels: np.ndarray, slices: tuple[int, ...], *, complete: bool = True) -> Annotations:
    drawn = np.zeros_like(labels)
    drawn[list(slices)] = labels[list(slices)]
    return Annotations(drawn, LABELS, frozenset(slices) if complete else frozenset())


def masks_of(labels: np.ndarray) -> Masks:
    return Masks.of(np.stack([labels == label for label in LABELS]).astype(np.float32))


def run(
    stack: SliceStack,
    annotations: Annotations,
    corrected: int,
    old: Callable[[int], Masks],
    merge: Merge = new_replaces_old,
    engine: Engine | None = None,
    structures: tuple[int, ...] | None = None,
) -> dict[int, np.ndarray]:
    """Probabilities (K, H, W) by slice; no slice may come twice."""
    found: dict[int, np.ndarray] = {}
    carrier = None if engine is not None else Still()
    for done in correct(
        stack, annotations, corrected, old, engine or NearestEngine(), merge, structures, carrier=carrier
    ):
        assert done.index not in found
        assert done.masks.total().max() <= 1 + 1e-5
        found[done.index] = done.masks.dense()
    assert len(found) == visits(annotations, corrected, structures)
    return found


random_labels = arrays(np.uint8, (9, 5, 6), elements=st.sampled_from([0, 0, 3, 8]))
some_slices = st.lists(st.integers(0, 8), min_size=1, max_size=4, unique=True)


@pytest.mark.parametrize("merge", MERGES)
@settings(max_examples=20)
@given(labels=random_labels, slices=some_slices)
def test_it_goes_to_the_next_annotated_slices_and_no_further(
    merge: Merge, labels: np.ndarray, slices: list[int]
) -> None:
    corrected, others = slices[0], slices[1:]
    old = labels[::-1]
    found = run(stack_of(9, 5, 6), annotated(labels, tuple(slices)), corrected, lambda n: masks_of(old[n]), merge)
    first = max((n for n in others if n < corrected), default=-1) + 1
    last = min((n for n in others if n > corrected), default=9) - 1
    assert sorted(found) == list(range(first, last + 1))
    np.testing.assert_array_equal(found[corrected], masks_of(labels[corrected]).dense())


@pytest.mark.parametrize("merge", MERGES)
@settings(max_examples=20)
@given(labels=random_labels, slices=some_slices, old=random_labels)
def test_what_is_drawn_stays_as_drawn_and_ends_its_structure_alone(
    merge: Merge, labels: np.ndarray, slices: list[int], old: np.ndarray
) -> None:
    labels[slices[0], 0, 0] = 3
    annotations = annotated(labels, tuple(slices), complete=False)
    found = run(stack_of(9, 5, 6), annotations, slices[0], lambda n: masks_of(old[n]), merge)
    for n, masks in found.items():
        for k, label in enumerate(LABELS):
            if annotations.known[n, k]:
                np.testing.assert_array_equal(masks[k], labels[n] == label)
            elif not annotations.known[slices[0], k]:  # not carried: it only gives way
                assert (masks[k] <= masks_of(old[n]).dense()[k] + 1e-6).all()


def test_a_structure_ends_where_it_is_known_while_another_goes_on() -> None:
    labels = np.zeros((7, 4, 4), np.uint8)
    labels[:, 0], labels[:, 3] = 3, 8
    annotations = annotated(labels, (0, 3), complete=False)
    annotations.labels[3][annotations.labels[3] == 8] = 0  # only label 3 is drawn there
    found = run(stack_of(7, 4, 4), annotations, 0, lambda _: masks_of(np.zeros((4, 4))))
    assert sorted(found) == list(range(7))
    assert [bool(found[n][0].any()) for n in range(7)] == [True, True, True, True, False, False, False]
    assert all(found[n][1].any() for n in range(7))


def test_only_the_chosen_structures_are_carried() -> None:
    scan, truth = moving_discs()
    stack, labels = SliceStack.of(scan, Axis.AXIAL, "ct"), truth.array
    old = masks_of(np.zeros_like(labels[0]))
    found = run(stack, annotated(labels, (5,)), 5, lambda _: old, engine=FlowEngine(), structures=(8,))
    assert not any(found[n][0].any() for n in found if n != 5)
    assert dice(found[9][1] > 0.5, labels[9] == 8) > 0.85


def test_a_structure_takes_the_room_that_it_needs_from_those_that_are_not_carried() -> None:
    labels = np.zeros((3, 2, 4), np.uint8)
    labels[1, 0, :2] = 3
    old = np.zeros((2, 4), np.uint8)
    old[0, 1:] = 8
    found = run(stack_of(3, 2, 4), annotated(labels, (1,), complete=False), 1, lambda _: masks_of(old))
    classes, _ = decide(Masks.of(found[2]))
    assert classes.tolist() == [[1, 1, 2, 2], [0, 0, 0, 0]]


def test_a_corrected_absence_is_carried_too() -> None:
    labels = np.zeros((9, 6, 6), np.uint8)
    everywhere = masks_of(np.full((6, 6), 3))
    labels[0] = 3
    found = run(stack_of(9, 6, 6), annotated(labels, (0, 4)), 4, lambda _: everywhere)
    assert sorted(found) == list(range(1, 9))
    assert not any(masks.any() for masks in found.values())


@pytest.mark.parametrize("merge", MERGES)
def test_a_scan_of_one_slice(merge: Merge) -> None:
    labels = np.array([[[0, 3], [8, 0]]], np.uint8)
    old = masks_of(np.array([[8, 8], [8, 8]]))
    found = run(stack_of(1, 2, 2), annotated(labels, (0,)), 0, lambda _: old, merge)
    assert list(found) == [0]
    np.testing.assert_array_equal(found[0], masks_of(labels[0]).dense())


def test_the_engine_knows_all_annotated_slices_and_walks_no_further_than_needed() -> None:
    _, truth = moving_discs(slices=10, size=16)
    engine = RecordingEngine()
    empty = masks_of(np.zeros((16, 16)))
    run(stack_of(10, 16, 16), annotated(truth.array, (0, 4, 7)), 4, lambda _: empty, engine=engine)
    known = [("reset", -1), ("observe", 0), ("observe", 7), ("observe", 4)]
    on, back = [("predict", n) for n in (5, 6)], [("predict", n) for n in (3, 2, 1)]
    assert engine.calls == known + on + known + back


@pytest.mark.parametrize("merge", MERGES)
def test_a_correction_makes_the_slices_around_it_better(merge: Merge) -> None:
    scan, truth = moving_discs(slices=16)
    stack, labels = SliceStack.of(scan, Axis.AXIAL, "ct"), truth.array
    stale = masks_of(labels[0])  # as if nothing had moved
    found = run(stack, annotated(labels, (0, 8)), 8, lambda _: stale, merge, FlowEngine())
    for n in (6, 7, 9, 12):
        for k, label in enumerate(LABELS):
            before, after = (dice(m[k] > 0.5, labels[n] == label) for m in (stale.dense(), found[n]))
            assert after > max(before, 0.85)


def test_old_and_new_by_distance() -> None:
    one, none = (Masks.of(np.full((1, 1, 1), value, np.float32)) for value in (1, 0))
    stack, nothing = stack_of(1, 1, 1), Difference(none, none)

    def merged(since: float, until: float) -> float:
        away = (np.array([value], np.float32) for value in (since, until))
        return float(by_distance(Step(stack[0], none, one, nothing, *away)).dense()[0, 0, 0])

    assert merged(1, 3) == pytest.approx(0.75)
    assert merged(3, 1) == pytest.approx(0.25)
    assert merged(9, float("inf")) == 1


@pytest.mark.parametrize(
    ("corrected", "structures", "words"),
    [
        (1, None, r"slice 1 is not annotated: draw on it first; annotated are \[0, 2\]"),
        (0, (8,), r"structures \[8\]: not all known on slice 0; known there are \[3\]"),
        (0, (5,), r"not all known on slice 0"),
    ],
)
def test_impossible_corrections_are_refused(corrected: int, structures: tuple[int, ...] | None, words: str) -> None:
    labels = np.zeros((3, 2, 2), np.uint8)
    labels[0], labels[2] = 3, 8
    annotations = annotated(labels, (0, 2), complete=False)
    with pytest.raises(InputError, match=words):
        run(stack_of(3, 2, 2), annotations, corrected, lambda _: masks_of(labels[0]), structures=structures)
