"""A person's work, step by step, worked by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest

import ivos
import ivos.interactive.session as session_module
from ivos.errors import InputError
from ivos.interactive.session import InteractiveSession
from ivos.propagation.engines.flow import FlowEngine
from ivos.propagation.engines.nearest import NearestEngine
from ivos.volume.geometry import Geometry
from ivos.volume.volume import Volume
from tests.interactive.scenes import SHAPE, Obedient, contents, rectangle, scan_of, session_on
from tests.propagation.scenes import RecordingEngine, dice, moving_discs, volume_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ivos.interactive.propagation import SliceProgress

SQUARE = rectangle(slice(2, 5), slice(2, 5))
LEFT, RIGHT = rectangle(slice(0, 8), slice(0, 4)), rectangle(slice(0, 8), slice(4, 9))
NOTHING = rectangle(slice(0, 0), slice(0, 0))


def at(session: InteractiveSession, index: int, structure: int) -> np.ndarray[Any, Any]:
    plane: np.ndarray[Any, Any] = session.labels.array[index] == structure
    return plane


def test_a_few_drawn_slices_become_the_volume() -> None:
    scan, truth = moving_discs(size=40)
    session = InteractiveSession(scan, engine=FlowEngine())
    session.add(3, "right", (1, 2, 3))
    session.add(8, "down")
    for index in (1, 10):
        for structure in (3, 8):
            session.draw(index, structure, truth.array[index] == structure)
    seen = list(session.propagate())
    assert [step.done for step in seen] == list(range(1, seen[-1].total + 1))
    assert sorted(step.finished for step in seen if step.finished is not None) == list(range(12))
    expected = ivos.propagate(
        scan, truth.with_array(np.where(np.isin(np.arange(12), [1, 10])[:, None, None], truth.array, 0)),
        engine=FlowEngine(), axis="axial",
    )  # fmt: skip
    np.testing.assert_array_equal(session.labels.array, expected.labels.array)
    assert all(dice(session.labels.array == k, truth.array == k) > 0.8 for k in (3, 8))
    assert session.labels.names == {3: "right", 8: "down"}
    assert session.structures[0].colour == (1, 2, 3)
    assert (session.confidence.array[[1, 10]][truth.array[[1, 10]] > 0] == 255).all()
    assert session.drawn()[3] == ("propagated", "drawn", *["propagated"] * 8, "drawn", "propagated")
    with pytest.raises(ValueError, match="read-only"):
        session.labels.array[:] = 0


def test_the_bundled_engine_is_the_one_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def choose(name: str) -> NearestEngine:
        asked.append(name)
        return NearestEngine()

    monkeypatch.setattr(session_module, "create_engine", choose)
    session = ivos.InteractiveSession(scan_of())
    session.add(3, "disc")
    session.draw(0, 3, SQUARE)
    assert asked == []
    list(session.propagate())
    list(session.propagate())
    assert asked == ["fast"]


def test_a_structure_drawn_as_absent_ends_there() -> None:
    session = session_on()
    session.draw(1, 1, SQUARE)
    session.draw(4, 1, NOTHING)
    list(session.propagate())
    assert [at(session, n, 1).any() for n in range(6)] == [True, True, True, False, False, False]
    assert session.drawn()[1] == ("propagated", "drawn", "propagated", "empty", "drawn", "empty")


def test_only_what_is_asked_for_is_written_and_only_what_it_needs_is_walked() -> None:
    engine = RecordingEngine()
    session = InteractiveSession(volume_of(np.zeros((20, 8, 9), np.int16)), engine=engine)
    session.add(1, "one")
    session.add(2, "two")
    for index in (2, 8, 15):
        session.draw(index, 1, SQUARE)
    session.draw(2, 2, RIGHT)
    done = [step.finished for step in session.propagate(5, 6, [1]) if step.finished is not None]
    assert sorted(done) == [5, 6]
    assert [n for n in range(20) if at(session, n, 1).any()] == [2, 5, 6, 8, 15]
    assert [n for n in range(20) if at(session, n, 2).any()] == [2]
    assert max(index for _, index in engine.calls) == 8 - 2  # of the part from slice 2 to slice 8
    assert sum(call == "predict" for call, _ in engine.calls) == 5 + 3  # down from 8 no further than to 5


def test_without_a_drawn_slice_on_one_side_the_walk_begins_where_it_is_asked_to() -> None:
    engine = RecordingEngine()
    session = InteractiveSession(volume_of(np.zeros((20, 8, 9), np.int16)), engine=engine)
    session.add(1, "one")
    session.draw(9, 1, SQUARE)
    list(session.propagate(6, 7))
    assert [n for n in range(20) if at(session, n, 1).any()] == [6, 7, 9]
    assert [index for call, index in engine.calls if call == "predict"] == [8 - 6, 7 - 6, 0]


def test_how_sure_each_voxel_is() -> None:
    class Doubting(NearestEngine):
        def predict(self, image: Any, opposite: Any) -> Any:
            masks = super().predict(image, opposite)
            return masks.scaled(np.full(masks.shape, 0.6, np.float32))

    session = InteractiveSession(scan_of(), engine=Doubting())
    session.add(1, "one")
    session.draw(0, 1, SQUARE)
    session.draw(3, 1, rectangle(slice(0, 6), slice(2, 5), (6, 9)), "coronal")
    assert (session.confidence.array[session.labels.array == 1] == 255).all()
    list(session.propagate())
    sure = session.confidence.array[4]
    assert (sure[3, 2:5] == 255).all()  # drawn on the coronal slice
    assert (sure[[2, 4], 2:5] == round(0.6 * 255)).all()
    assert (sure[~SQUARE] == 255).all()
    session.undo()
    assert session.confidence.array[4, 2, 2] == 0


@pytest.mark.parametrize(("merge", "visited"), [(None, {1, 2, 3}), ("repropagate", {0, 1, 2, 3, 4})])
def test_a_correction_goes_up_to_the_next_drawn_slices(merge: Literal["repropagate"] | None, visited: set[int]) -> None:
    session = session_on(merge=merge)
    for index in (0, 5):
        session.draw(index, 1, SQUARE)
    session.draw(0, 2, RIGHT & ~SQUARE)
    list(session.propagate())
    session.draw(3, 1, NOTHING)
    session.draw(4, 1, NOTHING)
    finished = {step.finished for step in session.correct(3)} - {None}
    assert finished == visited
    there = [at(session, n, 1).any() for n in range(6)]
    assert [there[n] for n in (0, 3, 4, 5)] == [True, False, False, True]
    assert there[1:3] == [True, False] or merge is None  # which a network decides
    assert at(session, 2, 2).any()


def test_the_old_name_of_a_way_to_merge_means_what_it_did() -> None:
    with pytest.warns(DeprecationWarning, match="repropagate"):
        session = session_on(merge="anew")
    for index in (0, 5):
        session.draw(index, 1, SQUARE)
    assert {step.finished for step in session.correct(5)} - {None} == {0, 1, 2, 3, 4, 5}


def test_drawing_takes_from_others_and_propagation_from_what_nobody_drew() -> None:
    session = session_on()
    session.draw(0, 1, LEFT | RIGHT)
    list(session.propagate(structures=[1]))
    session.draw(5, 1, LEFT)
    session.draw(0, 2, RIGHT)
    np.testing.assert_array_equal(at(session, 0, 1), LEFT)
    list(session.propagate(structures=[2]))
    for index in range(1, 5):
        np.testing.assert_array_equal(at(session, index, 2), RIGHT)
        np.testing.assert_array_equal(at(session, index, 1), LEFT)
    session.draw(3, 3, NOTHING)
    session.draw(2, 3, LEFT)
    list(session.propagate(structures=[3]))
    assert not at(session, 3, 3).any()  # drawn as absent there
    assert not at(session, 0, 3).any()  # structure 1 is drawn there
    np.testing.assert_array_equal(at(session, 1, 3), LEFT)


def test_a_committed_structure_is_left_alone_by_everything() -> None:
    session = session_on()
    session.draw(2, 1, SQUARE)
    list(session.propagate())
    session.commit(1)
    before = session.labels.array == 1
    session.draw(2, 2, LEFT)
    list(session.propagate())
    session.load_labels(session.labels.with_array(np.full(SHAPE, 1, np.uint8)))
    session.load_labels(session.labels.with_array(np.full(SHAPE, 3, np.uint8)), drawn=True)
    np.testing.assert_array_equal(session.labels.array == 1, before)
    assert at(session, 2, 3).any()
    for refused in (
        lambda: session.draw(2, 1, SQUARE),
        lambda: session.brush(2, 1, [(1, 1)]),
        lambda: session.click(2, 1, positive=[(1, 1)]),
        lambda: session.propagate(structures=[1]),
        lambda: session.remove(1),
    ):
        with pytest.raises(InputError, match=r"committed: release"):
            refused()
    session.release(1)
    session.draw(2, 2, LEFT)
    assert (at(session, 2, 2) & SQUARE).any()


def test_brush_and_eraser() -> None:
    session = session_on()
    session.brush(2, 1, [(3, 1), (3, 7)], width=1)
    np.testing.assert_array_equal(at(session, 2, 1), rectangle(slice(3, 4), slice(1, 8)))
    session.brush(2, 1, RIGHT, erase=True)
    np.testing.assert_array_equal(at(session, 2, 1), rectangle(slice(3, 4), slice(1, 4)))
    session.brush(4, 2, rectangle(slice(0, 2), slice(0, 1), (6, 9)), axis="coronal")
    assert np.argwhere(session.labels.array == 2).tolist() == [[0, 4, 0], [1, 4, 0]]
    assert session.drawn("coronal")[2][4] == "drawn"
    assert session.drawn()[1][2] == "drawn"


def test_what_strokes_find_leaves_drawn_structures_alone_but_for_positive_strokes() -> None:
    session = session_on(None, 1, 2, 3)
    left, right = rectangle(slice(1, 5), slice(0, 3)), rectangle(slice(1, 5), slice(5, 8))
    session.draw(2, 1, left)
    session.load_labels(session.labels.with_array(np.where(np.arange(6)[:, None, None] == 2, right * 3, 0)))
    session.box(2, 2, (1, 0, 5, 8))
    np.testing.assert_array_equal(at(session, 2, 1), left)
    np.testing.assert_array_equal(at(session, 2, 2), rectangle(slice(1, 5), slice(3, 8)))  # 3 was a guess
    session.scribble(2, 2, positive=rectangle(slice(1, 2), slice(2, 3)))
    assert session.labels.array[2, 1, 2] == 2
    assert at(session, 2, 1).sum() == left.sum() - 1


def test_strokes_add_up_until_something_else_is_done() -> None:
    segmenter = Obedient()
    session = InteractiveSession(scan_of(), engine=NearestEngine(), strokes=segmenter)
    session.add(1, "one")
    session.add(2, "two")
    session.box(2, 1, (1, 1, 6, 6))
    session.click(2, 1, negative=[(2, 2)])
    session.scribble(2, 1, positive=rectangle(slice(2, 3), slice(2, 3)))
    box, clicked, scribbled = segmenter.seen
    assert box.box == clicked.box == scribbled.box == (1, 1, 6, 6)
    assert clicked.negative[2, 2]
    assert not scribbled.negative[2, 2]  # the last word counts
    assert scribbled.negative[1, 2]
    session.click(2, 2, positive=[(7, 7)])
    session.click(2, 1, positive=[(7, 1)])
    session.draw(2, 1, SQUARE)
    session.click(2, 1, positive=[(7, 7)])
    assert [strokes.box for strokes in segmenter.seen[3:]] == [None] * 3
    np.testing.assert_array_equal(at(session, 2, 1), SQUARE | segmenter.seen[-1].positive)
    session.undo()
    np.testing.assert_array_equal(at(session, 2, 1), SQUARE)


def test_stopping_keeps_what_is_finished_as_one_step() -> None:
    session = session_on()
    for index in (0, 5):
        session.draw(index, 1, SQUARE)
    before = contents(session)
    steps = session.propagate()
    finished = next(step.finished for step in steps if step.finished not in (None, 5))
    steps.close()
    assert [n for n in range(6) if at(session, n, 1).any()] == [0, finished, 5]
    session.undo()
    assert contents(session) == before


def test_doing_something_else_ends_a_propagation() -> None:
    session = session_on()
    session.draw(0, 1, SQUARE)
    steps = session.propagate()
    assert next(steps).finished is None
    assert next(steps).finished is not None
    session.draw(5, 1, NOTHING)
    assert list(steps) == []
    assert [n for n in range(6) if at(session, n, 1).any()] == [0, 1]
    never_begun = session.propagate()
    session.commit(1)
    assert list(never_begun) == []
    assert not at(session, 2, 1).any()
    session.undo()
    session.undo()
    session.undo()
    assert [n for n in range(6) if at(session, n, 1).any()] == [0]


def test_an_engine_that_fails_leaves_what_is_finished() -> None:
    class Failing(NearestEngine):
        def predict(self, image: Any, opposite: Any) -> Any:
            if image.index == 3:
                raise InputError("the memory budget is too small")
            return super().predict(image, opposite)

    session = InteractiveSession(scan_of(), engine=Failing())
    session.add(1, "one")
    session.draw(0, 1, SQUARE)
    with pytest.raises(InputError, match="memory budget"):
        list(session.propagate())
    assert [n for n in range(6) if at(session, n, 1).any()] == [0, 1, 2]
    session.undo()
    assert [n for n in range(6) if at(session, n, 1).any()] == [0]


def test_the_history_keeps_to_its_bytes_and_the_oldest_go_first() -> None:
    session = session_on(scan_of(), 1, history_bytes=2000)
    for index in range(6):
        session.draw(index, 1, SQUARE)
    session.brush(5, 1, RIGHT)
    undone = 0
    while session.can_undo:
        session.undo()
        undone += 1
    assert 0 < undone < 7
    assert [n for n in range(6) if at(session, n, 1).any()] == list(range(7 - undone))
    while session.can_redo:
        session.redo()
    np.testing.assert_array_equal(at(session, 5, 1), SQUARE | RIGHT)
    nothing_kept = session_on(scan_of(), 1, history_bytes=0)
    nothing_kept.draw(0, 1, SQUARE)
    with pytest.raises(InputError, match="nothing to undo"):
        nothing_kept.undo()
    with pytest.raises(InputError, match="nothing to do again"):
        nothing_kept.redo()


def test_a_page_asks_for_what_has_changed() -> None:
    session = session_on()
    known = session.revision
    assert session.changed(known) == []
    assert session.changed(0) == list(range(6))
    session.draw(2, 1, SQUARE)
    session.draw(4, 1, NOTHING)
    assert session.changed(known) == [2, 4]
    assert session.changed(known, "coronal") == [2, 3, 4]
    known = session.revision
    session.undo()
    assert session.changed(known) == [4]
    for _ in session.propagate(0, 1):
        pass
    assert session.changed(known) == [0, 1, 4]


def test_suggestions_follow_what_is_drawn_and_undone() -> None:
    session = session_on()
    with pytest.raises(InputError, match="no structure is propagated"):
        session.suggest()
    session.draw(0, 1, SQUARE)
    session.draw(0, 2, RIGHT & ~SQUARE)
    list(session.propagate(structures=[1]))
    assert {suggestion.structure for suggestion in session.suggest().slices} == {1}
    alone = session.suggest()
    list(session.propagate(structures=[2]))
    both = session.suggest()
    assert {suggestion.structure for suggestion in both.by_structure} == {1, 2}
    best = both.slices[0].index
    session.draw(best, 1, SQUARE)
    session.draw(best, 2, NOTHING)
    assert best not in {suggestion.index for suggestion in session.suggest().slices}
    for _ in range(3):
        session.undo()
    assert session.suggest() == alone


def test_labels_from_outside() -> None:
    session = session_on(scan_of(), 1)
    session.draw(2, 1, LEFT)
    array = np.zeros(SHAPE, np.uint16)
    array[:, :, 3:] = 7
    array[4] = 1
    session.load_labels(session.labels.with_array(array, {7: "spleen"}))
    assert session.labels.names == {1: "structure 1", 7: "spleen"}
    np.testing.assert_array_equal(at(session, 2, 1), LEFT)
    np.testing.assert_array_equal(at(session, 2, 7), RIGHT)
    assert at(session, 4, 1).all()
    assert session.drawn()[7][2] == "propagated"
    session.load_labels(session.labels.with_array(np.where(array == 7, array, 0)), drawn=True)
    assert session.drawn()[7] == ("drawn",) * 4 + ("empty",) + ("drawn",)
    np.testing.assert_array_equal(at(session, 2, 7), rectangle(slice(0, 8), slice(3, 9)))


def test_labels_from_a_file_in_another_orientation() -> None:
    session = session_on()
    shape, (a, b, c) = session.labels.array.shape, Geometry(SHAPE, (2.0, 1.0, 1.0), (0.0, 0.0, 0.0)).axes
    array = np.zeros(shape, np.uint8)
    array[1, 2, 3] = 1
    flipped = Geometry(SHAPE, (2.0, 1.0, 1.0), (0.0, 0.0, 2.0 * (SHAPE[0] - 1)), ((-a[0], -a[1], -a[2]), b, c))
    session.load_labels(Volume(array[::-1], flipped, flipped))
    assert np.argwhere(session.labels.array == 1).tolist() == [[1, 2, 3]]


def test_without_its_scan_a_session_still_shows_and_undoes(tmp_path: Path) -> None:
    session = session_on()
    session.draw(2, 1, SQUARE)
    session.save(tmp_path / "work.ivos")
    loaded = InteractiveSession.load(tmp_path / "work.ivos", strokes=Obedient())
    assert contents(loaded) == contents(session)
    for refused in (loaded.propagate, lambda: loaded.click(2, 1, positive=[(1, 1)])):
        with pytest.raises(InputError, match="load it with the scan"):
            refused()
    loaded.brush(2, 1, RIGHT)
    loaded.undo()
    loaded.undo()
    assert not loaded.labels.array.any()
    loaded.save(tmp_path / "again.ivos")
    assert InteractiveSession.load(tmp_path / "again.ivos", scan_of()).can_redo


Refusal = tuple["Callable[[InteractiveSession], object]", str]
REFUSALS: list[Refusal] = [
    (lambda s: s.add(0, "x"), "0: structures are numbered from 1 to 255"),
    (lambda s: s.add(256, "x"), "numbered from 1 to 255"),
    (lambda s: s.add(1, "x"), "1 is there already: structure 1"),
    (lambda s: s.add(9, ""), "name is empty"),
    (lambda s: s.add(9, "x", (0, 0, 256)), "red, green and blue"),
    (lambda s: s.rename(1, "x", (0, 0)), "red, green and blue"),  # type: ignore[arg-type]
    (lambda s: s.rename(1, " "), "name is empty"),
    (lambda s: s.rename(9, "x"), r"9 is not in this session, which has \[1, 2, 3\]; add it"),
    (lambda s: s.remove(9), "9 is not in this session"),
    (lambda s: s.commit(9), "9 is not in this session"),
    (lambda s: s.release(9), "9 is not in this session"),
    (lambda s: s.draw(0, 9, SQUARE), "9 is not in this session"),
    (lambda s: s.draw(6, 1, SQUARE), "slice 6: the scan has 6 axial slices, 0 to 5"),
    (lambda s: s.draw(-1, 1, SQUARE), "slice -1"),
    (lambda s: s.draw(0, 1, SQUARE, "coronal"), r"masks of coronal slices have shape \(6, 9\), bool"),
    (lambda s: s.draw(0, 1, SQUARE.astype(float)), r"float64: masks of axial slices have shape \(8, 9\), bool"),
    (lambda s: s.draw(0, 1, SQUARE, "diagonal"), "choose one of axial, coronal, sagittal"),
    (lambda s: s.brush(0, 1, [(3, 9)]), r"point \(3, 9\): rows are 0 to 7, columns 0 to 8"),
    (lambda s: s.brush(0, 1, []), "a brush stroke of 0 points"),
    (lambda s: s.click(0, 1, positive=[(8, 0)]), r"point \(8, 0\)"),
    (lambda s: s.click(0, 1), "no stroke"),
    (lambda s: s.scribble(0, 1, negative=LEFT.T), r"masks of axial slices have shape \(8, 9\)"),
    (lambda s: s.box(0, 1, (0, 0, 9, 9)), "box"),
    (lambda s: s.propagate(), "nothing is drawn on any axial slice"),
    (lambda s: s.propagate(structures=[9]), "9 is not in this session"),
    (lambda s: s.propagate(structures=[1]), r"structures \[1\] are drawn on any axial slice|\[1\]"),
    (lambda s: s.propagate(4, 2), "slice 4 to slice 2: the first one comes after the last"),
    (lambda s: s.propagate(0, 6), "slice 6: the scan has"),
    (lambda s: s.correct(3), "drawn on axial slice 3: draw what is to be carried"),
    (lambda s: s.load_labels(volume_of(np.zeros((5, 8, 9), np.uint8))), "not on the scan's grid"),
    (lambda s: s.load_labels(s.labels.with_array(np.full(SHAPE, 256))), "from 1 to 255, found 256"),
    (lambda s: s.load_labels(s.labels.with_array(np.full(SHAPE, -1))), "found -1"),
]


@pytest.mark.parametrize(("deed", "words"), REFUSALS)
def test_what_cannot_be_done_is_refused_and_changes_nothing(
    deed: Callable[[InteractiveSession], object], words: str
) -> None:
    session = session_on()
    before, revision = contents(session), session.revision
    with pytest.raises(InputError, match=words) as refused:
        deed(session)
    assert "\n" not in str(refused.value)
    assert (contents(session), session.revision) == (before, revision)


def test_strokes_are_made_by_the_bundled_network_if_by_no_other() -> None:
    session = InteractiveSession(scan_of())
    session.add(1, "one")
    session.click(0, 1, positive=[(1, 1)])
    assert session.labels.array[0, 1, 1] == 1


def test_a_scan_that_is_drawn_on_one_slice_alone() -> None:
    def walked(steps: Iterator[SliceProgress]) -> list[int | None]:
        return [step.finished for step in steps]

    session = session_on()
    session.draw(3, 1, SQUARE)
    assert walked(session.propagate(3, 3)) == [None, 3]
    assert walked(session.propagate(5, 5))[-1] == 5
    assert [n for n in range(6) if at(session, n, 1).any()] == [3, 5]


def test_drawn_slices_are_loaded_along_the_axis_that_they_are_drawn_on() -> None:
    scan, truth = moving_discs(size=40)
    session = InteractiveSession(scan)
    sagittal = np.where(np.arange(40) == 14, truth.array, 0).astype(np.uint8)
    session.load_labels(truth.with_array(sagittal), drawn=True)
    assert session.drawn("sagittal")[3].index("drawn") == 14
    both = np.where(np.arange(12)[:, None, None] == 5, truth.array, sagittal).astype(np.uint8)
    with pytest.raises(InputError, match="labels to load: drawn in several planes: axial slice 5; sagittal slice 14"):
        session.load_labels(truth.with_array(both), drawn=True)
