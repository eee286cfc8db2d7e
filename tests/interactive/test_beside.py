"""What a person may do while a propagation runs, what ends it, and that it says so."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ivos.errors import InputError
from ivos.interactive.session import InteractiveSession
from ivos.propagation.engines.nearest import NearestEngine
from tests.interactive.scenes import Obedient, contents, rectangle, scan_of, session_on

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ivos.interactive.propagation import Visits

SQUARE, CORNER = rectangle(slice(2, 5), slice(2, 5)), rectangle(slice(6, 8), slice(6, 9))

NAMES_AND_LOCKS: list[tuple[str, Callable[[InteractiveSession], None]]] = [
    ("rename", lambda s: s.rename(1, "liver")),
    ("recolour", lambda s: s.rename(1, "structure 1", (1, 2, 3))),
    ("add", lambda s: s.add(7, "seventh")),
    ("lock another", lambda s: s.commit(2)),
    ("unlock", lambda s: s.release(1)),
    ("remove a bare one", lambda s: s.remove(3)),
]

ENDING: list[tuple[str, Callable[[InteractiveSession], object]]] = [
    ("structure 1 was drawn on axial slice 4", lambda s: s.draw(4, 1, SQUARE)),
    ("structure 2 was drawn on coronal slice 3", lambda s: s.brush(3, 2, [(1, 1)], axis="coronal")),
    ("structure 1 was drawn on axial slice 4", lambda s: s.click(4, 1, positive=[(1, 1)])),
    ("structure 1 was cleared on axial slice 0", lambda s: s.clear(0, 1)),
    ("structure 2 was filled between axial slices 0 and 5", lambda s: s.fill_between(2, 0, 5)),
    ("structure 2 was removed", lambda s: s.remove(2)),
    ("labels were loaded", lambda s: s.load_labels(scan_of().with_array(np.zeros((6, 8, 9), np.uint8)))),
    ("another propagation began", lambda s: s.propagate()),
    ("it was undone", lambda s: s.undo()),
]


def drawn_session() -> InteractiveSession:
    session = session_on()
    session.draw(0, 1, SQUARE)
    for index in (0, 5):
        session.draw(index, 2, CORNER)
    return session


def under_way(session: InteractiveSession, structures: list[int] | None = None) -> Visits:
    """A propagation that has finished one slice beside the drawn one."""
    visits = session.propagate(structures=structures or [1])
    assert [next(visits).finished for _ in range(2)] == [None, 1]
    return visits


def goes_on(visits: Visits) -> None:
    assert visits.ended is None


def slices_of(session: InteractiveSession, structure: int) -> list[int]:
    return [n for n, plane in enumerate(session.labels.array) if (plane == structure).any()]


@pytest.mark.parametrize(("what", "deed"), NAMES_AND_LOCKS, ids=[what for what, _ in NAMES_AND_LOCKS])
def test_names_and_locks_leave_a_propagation_running(what: str, deed: Callable[[InteractiveSession], None]) -> None:
    plain, session = drawn_session(), drawn_session()
    list(plain.propagate(structures=[1]))
    before = contents(session)
    visits = under_way(session)
    deed(session)
    goes_on(visits)
    rest = list(visits)
    assert rest[-1].done == rest[-1].total
    assert visits.ended == "all slices are visited"
    np.testing.assert_array_equal(session.labels.array, plain.labels.array)
    np.testing.assert_array_equal(session.confidence.array, plain.confidence.array)
    after = contents(session)
    session.undo()  # the propagation is one step, that comes last
    assert slices_of(session, 1) == [0]
    if what != "unlock":  # what is not locked is not unlocked: no step
        session.undo()
    assert contents(session) == before
    while session.can_redo:
        session.redo()
    assert contents(session) == after


@pytest.mark.parametrize(("why", "deed"), ENDING, ids=[why for why, _ in ENDING])
def test_what_changes_voxels_ends_it_and_the_iterator_says_so(
    why: str, deed: Callable[[InteractiveSession], object], caplog: pytest.LogCaptureFixture
) -> None:
    session = drawn_session()
    visits = under_way(session)
    deed(session)
    assert visits.ended == f"after 2 of 7 steps: {why}"
    with caplog.at_level(logging.WARNING, logger="ivos"):
        assert list(visits) == []
    assert f"the propagation ended after 2 of 7 steps: {why}" in caplog.text
    assert visits.ended == f"after 2 of 7 steps: {why}"


def test_a_caller_that_stops_is_no_surprise(caplog: pytest.LogCaptureFixture) -> None:
    session = drawn_session()
    visits = under_way(session)
    with caplog.at_level(logging.WARNING, logger="ivos"):
        visits.close()
    assert visits.ended == "after 2 of 7 steps: its caller stopped it"
    assert caplog.text == ""
    assert list(visits) == []
    never_begun = session.propagate()
    never_begun.close()
    assert never_begun.ended == "before its first step: its caller stopped it"


@pytest.mark.parametrize("deed", [lambda s: s.draw(99, 1, SQUARE), lambda s: s.redo(), lambda s: s.rename(1, " ")])
def test_what_is_refused_ends_nothing(deed: Callable[[InteractiveSession], None]) -> None:
    session = drawn_session()
    visits = under_way(session)
    with pytest.raises(InputError):
        deed(session)
    assert visits.ended is None
    assert len(list(visits)) == 5


def test_a_structure_that_is_locked_meanwhile_stays_as_it_is_and_the_others_go_on() -> None:
    session = session_on()
    session.draw(0, 1, SQUARE)
    session.draw(0, 2, CORNER)
    visits = under_way(session, [1, 2])
    session.commit(1)
    next(visits)
    session.release(1)  # too late for this propagation: it would have a gap
    list(visits)
    assert slices_of(session, 1) == [0, 1]
    assert slices_of(session, 2) == [0, 1, 2, 3, 4, 5]
    assert visits.ended == "all slices are visited"


def test_with_all_of_its_structures_locked_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    session = drawn_session()
    visits = under_way(session)
    session.commit(1)
    with caplog.at_level(logging.WARNING, logger="ivos"):
        assert list(visits) == []
    assert visits.ended == "after 2 of 7 steps: all structures that it carries are locked"
    assert "are locked" in caplog.text
    assert slices_of(session, 1) == [0, 1]


def test_undo_takes_back_what_was_named_meanwhile_and_then_the_propagation() -> None:
    session = drawn_session()
    visits = under_way(session)
    session.rename(1, "liver")
    session.add(7, "seventh")
    session.undo()
    session.undo()
    assert (session.structures[0].name, len(session.structures)) == ("structure 1", 3)
    assert session.can_redo
    session.redo()
    assert session.structures[0].name == "liver"
    session.undo()
    next(visits)
    assert slices_of(session, 1) == [0, 1, 2]
    session.undo()
    assert visits.ended == "after 3 of 7 steps: it was undone"
    assert slices_of(session, 1) == [0]


def test_a_session_saved_meanwhile_has_both_steps(tmp_path: Path) -> None:
    session = drawn_session()
    before = contents(session)
    visits = under_way(session)
    session.rename(1, "liver")
    next(visits)
    session.save(tmp_path / "s.ivos")
    loaded = InteractiveSession.load(tmp_path / "s.ivos", scan_of(), engine=NearestEngine(), strokes=Obedient())
    assert contents(loaded) == contents(session)
    loaded.undo()
    assert (slices_of(loaded, 1), loaded.structures[0].name) == ([0], "liver")
    loaded.undo()
    assert contents(loaded) == before
