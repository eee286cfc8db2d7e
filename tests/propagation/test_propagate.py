"""From drawn slices to the volume, through the public face."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import ivos
from ivos.errors import InputError
from ivos.nets.checkpoints import BUNDLED, save_propagation
from ivos.nets.stcn import STCN
from ivos.propagation.annotations import annotations_along, drawn_axis
from ivos.propagation.bidirectional import SliceStack, walk
from ivos.propagation.engines.fast import FastEngine
from ivos.propagation.engines.flow import FlowEngine
from ivos.propagation.engines.nearest import NearestEngine
from ivos.propagation.engines.registry import create_engine, engine_for_weights
from ivos.propagation.engines.stcn import STCNEngine
from ivos.propagation.fusion import fuse_by_sum
from ivos.types import Axis
from ivos.volume.labels import IGNORE
from tests.propagation.scenes import RecordingEngine, dice, drawn_on, moving_discs, volume_of

if TYPE_CHECKING:
    from ivos.propagation.engines.protocol import Engine

ENGINES: list[type[NearestEngine] | type[FlowEngine]] = [NearestEngine, FlowEngine]


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=25, deadline=None)
@given(
    drawing=arrays(np.uint8, (3, 10, 11), elements=st.sampled_from([0, 0, 2, 5, 9])),
    places=st.lists(st.integers(0, 7), min_size=3, max_size=3, unique=True),
)
def test_drawn_masks_come_back_exactly(engine: type, drawing: np.ndarray, places: list[int]) -> None:
    drawing[0, 0, 0] = 2
    scan = volume_of(np.random.default_rng(0).integers(-200, 300, (8, 10, 11)).astype(np.int16))
    drawn = np.zeros((8, 10, 11), np.uint8)
    drawn[places] = drawing
    result = ivos.propagate(scan, volume_of(drawn), engine=engine(), axis="axial").labels.array
    for place in places:
        for label in np.unique(drawn[place])[1:]:
            np.testing.assert_array_equal(result[place] == label, drawn[place] == label)
    complete = ivos.propagate(scan, volume_of(drawn), engine=engine(), axis="axial", complete=True).labels.array
    filled = [place for place in places if drawn[place].any()]
    np.testing.assert_array_equal(complete[filled], drawn[filled])


def test_flow_follows_what_moves_and_the_floor_does_not() -> None:
    scan, labels = moving_discs()
    scores: dict[type, list[float]] = {}
    for engine in ENGINES:
        made: Engine = engine()
        result = ivos.propagate(scan, drawn_on(labels, 0, 11), engine=made).labels
        scores[engine] = [dice(result.array[6] == k, labels.array[6] == k) for k in (3, 8)]
    assert min(scores[FlowEngine]) > 0.9
    assert max(scores[NearestEngine]) < 0.8


def test_two_drawn_slices_beat_one() -> None:
    scan, labels = moving_discs(slices=16)
    one = ivos.propagate(scan, drawn_on(labels, 0), engine=FlowEngine()).labels.array
    two = ivos.propagate(scan, drawn_on(labels, 0, 15), engine=FlowEngine()).labels.array
    assert dice(two[8:15] > 0, labels.array[8:15] > 0) > dice(one[8:15] > 0, labels.array[8:15] > 0)


def test_what_is_not_drawn_on_a_slice_may_still_be_there() -> None:
    scan, labels = moving_discs(slices=9)
    drawn = drawn_on(labels, 0, 4, 8)
    drawn.array[4][drawn.array[4] == 8] = 0  # a person drew only label 3 in the middle
    open_result = ivos.propagate(scan, drawn).labels.array
    assert dice(open_result[4] == 8, labels.array[4] == 8) > 0.85
    np.testing.assert_array_equal(open_result[4] == 3, labels.array[4] == 3)
    absent = ivos.propagate(scan, drawn, complete=[4]).labels.array
    assert not (absent[4] == 8).any()
    assert (absent[1] == 8).any()  # absent there, not everywhere


def test_an_empty_complete_slice_ends_a_structure() -> None:
    scan, labels = moving_discs(slices=9)
    result = ivos.propagate(scan, drawn_on(labels, 0), engine=NearestEngine(), complete=[0, 6]).labels.array
    assert (result[2] > 0).any()
    assert not result[6:].any()


def test_a_structure_drawn_only_later_does_not_reach_behind_by_the_other_pass() -> None:
    scan, labels = moving_discs(slices=9)
    drawn = drawn_on(labels, 2, 6)
    drawn.array[2][drawn.array[2] == 8] = 0
    result = ivos.propagate(scan, drawn, engine=NearestEngine()).labels.array
    for z in range(2):  # behind both, only the backward pass knows label 8, from slice 6
        np.testing.assert_array_equal((result[z] == 8) | (result[2] == 3), (drawn.array[6] == 8) | (result[2] == 3))


def test_passes_visit_no_slice_for_nothing() -> None:
    scan, labels = moving_discs(slices=10)
    engine = RecordingEngine()
    visited: list[tuple[int, int]] = []
    ivos.propagate(
        scan, drawn_on(labels, 3, 6), engine=engine, progress=lambda done, total: visited.append((done, total))
    )
    forward = [("reset", -1), ("observe", 6), ("observe", 3)]
    forward += [("predict", 4), ("predict", 5), ("observe", 6), ("predict", 7), ("predict", 8), ("predict", 9)]
    backward = [("reset", -1), ("observe", 3), ("observe", 6)]
    backward += [("predict", 5), ("predict", 4), ("observe", 3), ("predict", 2), ("predict", 1), ("predict", 0)]
    assert engine.calls == forward + backward
    assert visited == [(n, 14) for n in range(1, 15)]


@pytest.mark.parametrize("axis", [1, 2])
def test_any_axis_gives_what_the_turned_scan_gives(axis: int) -> None:
    scan, labels = moving_discs(slices=8, size=40)
    drawn = drawn_on(labels, 3)
    straight = ivos.propagate(scan, drawn, axis="axial").labels.array
    turned = [volume_of(np.moveaxis(v.array, 0, axis).copy(), (1.0, 1.0, 1.0)) for v in (scan, drawn)]
    result = ivos.propagate(turned[0], turned[1], axis=("axial", "coronal", "sagittal")[axis])
    np.testing.assert_array_equal(np.moveaxis(result.labels.array, axis, 0), straight)


def test_the_axis_is_where_the_slices_are_drawn() -> None:
    _, labels = moving_discs(slices=40, size=40)
    assert drawn_axis(drawn_on(labels, 4)) == 0
    assert drawn_axis(drawn_on(labels, 4, 20, 30)) == 0
    coronal = np.zeros_like(labels.array)
    coronal[:, 15] = labels.array[:, 15]
    assert drawn_axis(volume_of(coronal)) == 1
    sagittal_scan = volume_of(np.moveaxis(drawn_on(labels, 4).array, 0, 2).copy(), (1.0, 1.0, 5.0))
    assert drawn_axis(sagittal_scan) == 2


def test_the_names_of_labels_do_not_matter() -> None:
    scan, labels = moving_discs()
    drawn = drawn_on(labels, 5)
    renamed = drawn.with_array(np.array([0, 0, 0, 200, 0, 0, 0, 0, 1], np.uint8)[drawn.array])
    plain, other = (ivos.propagate(scan, d).labels.array for d in (drawn, renamed))
    np.testing.assert_array_equal(other, np.array([0, 0, 0, 200, 0, 0, 0, 0, 1], np.uint8)[plain])


def test_only_the_chosen_structures() -> None:
    scan, labels = moving_discs()
    result = ivos.propagate(scan, drawn_on(labels, 5), structures=[8]).labels.array
    assert set(np.unique(result)) == {0, 8}


def test_what_is_drawn_as_ignored_is_no_structure() -> None:
    scan, labels = moving_discs()
    drawn = drawn_on(labels, 5)
    drawn.array[5, :4, :4] = IGNORE
    for names, found in (({IGNORE: "Ignore"}, {0, 3, 8}), ({}, {0, 3, 8, IGNORE})):  # it is the name that says so
        result = ivos.propagate(scan, drawn.with_array(drawn.array, names), engine=NearestEngine(), axis="axial")
        assert set(np.unique(result.labels.array)) == found


def test_a_fusion_takes_the_place_of_the_engine_s_own() -> None:
    scan, labels = moving_discs()
    engine = create_engine("fast")
    assert engine.fuses
    annotations = annotations_along(drawn_on(labels, 1, 10), Axis.AXIAL)
    stack = SliceStack.of(scan, Axis.AXIAL, "ct")
    own, by_rule = (
        np.stack([f.masks.total() for f in walk(stack, annotations, engine, fusion) if f is not None])
        for fusion in (None, fuse_by_sum)
    )
    assert np.abs(own - by_rule).max() > 0.05


def test_weights_say_which_engine_they_are_for(tmp_path: Path) -> None:
    assert isinstance(engine_for_weights(), FastEngine)
    assert isinstance(engine_for_weights(BUNDLED, device="cpu"), FastEngine)
    save_propagation(STCN(), tmp_path / "stcn.safetensors")
    assert isinstance(engine_for_weights(tmp_path / "stcn.safetensors", device="cpu"), STCNEngine)


def test_the_same_input_gives_the_same_labels_twice() -> None:
    scan, labels = moving_discs()
    first, second = (ivos.propagate(scan, drawn_on(labels, 2, 9)) for _ in range(2))
    np.testing.assert_array_equal(first.labels.array, second.labels.array)
    np.testing.assert_array_equal(first.confidence.array, second.confidence.array)


def test_memory_does_not_hold_the_volume_in_floating_point() -> None:
    slices, size = 120, 64
    scan, labels = moving_discs(slices=slices, size=size)
    drawn = drawn_on(labels, 0, slices - 1)
    one_float_volume = slices * size * size * 4
    tracemalloc.start()
    ivos.propagate(scan, drawn, engine=FlowEngine())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * one_float_volume  # two structures and the background would be three, twice over for two passes


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"structures": [4]}, r"structures \[4\] are not drawn anywhere; drawn are \[3, 8\]"),
        ({"axis": "diagonal"}, "choose one of axial, coronal, sagittal"),
        ({"complete": [99]}, r"fully annotated slices \[99\] are outside the scan"),
    ],
)
def test_impossible_arguments_are_refused(change: dict[str, object], words: str) -> None:
    scan, labels = moving_discs()
    with pytest.raises(InputError, match=words):
        ivos.propagate(scan, drawn_on(labels, 2), **change)  # type: ignore[arg-type]


def test_empty_annotations_are_refused() -> None:
    scan, labels = moving_discs()
    with pytest.raises(InputError, match="annotations are empty"):
        ivos.propagate(scan, labels.with_array(labels.array * 0))


def test_annotations_of_another_scan_are_refused() -> None:
    scan, _ = moving_discs()
    with pytest.raises(InputError, match="not on the scan's grid"):
        ivos.propagate(scan, moving_discs(slices=11)[1])
