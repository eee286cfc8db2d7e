"""Whatever a person does, and in which order: nothing that was said is lost, and all of it can be undone."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from ivos.errors import InputError
from ivos.interactive.session import InteractiveSession
from ivos.propagation.engines.nearest import NearestEngine
from ivos.types import Axis
from tests.interactive.scenes import SHAPE, Obedient, contents, scan_of, session_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from ivos.types import BoolArray

structures = st.integers(1, 4)
axes = st.sampled_from(Axis)
seeds = st.integers(0, 2**32 - 1)


def a_mask(seed: int, axis: Axis) -> BoolArray:
    """A rectangle, sometimes an empty one."""
    rng = np.random.default_rng(seed)
    mask = np.zeros([n for a, n in zip(Axis, SHAPE, strict=True) if a != axis], bool)
    (top, bottom), (left, right) = (np.sort(rng.integers(0, n + 1, 2)) for n in mask.shape)
    mask[top:bottom, left:right] = True
    return mask


def where(session: InteractiveSession, structure: int) -> bytes:
    voxels: bytes = (session.labels.array == structure).tobytes()
    return voxels


class AnySequence(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.scan = scan_of()
        self.session = session_on(self.scan, 1, 2, 3)
        self.past: list[tuple[Any, ...]] = []
        self.future: list[tuple[Any, ...]] = []
        self.present = contents(self.session)
        for _ in range(3):
            self.session.undo()
            self.future.append(self.present)
            self.present = contents(self.session)
        for _ in range(3):
            self.session.redo()
            self.past.append(self.present)
            self.present = self.future.pop()

    def do(self, deed: Callable[[], object]) -> None:
        """One step; what is committed before and after it does not change by it."""
        committed, revision = self.session.committed, self.session.revision
        before = {structure: where(self.session, structure) for structure in committed}
        labels, states = self.session.labels.array.copy(), self.session.drawn()
        try:
            deed()
        except InputError:
            assert contents(self.session) == self.present
            assert self.session.revision == revision
            return
        after = contents(self.session)
        for structure in committed & self.session.committed:
            assert where(self.session, structure) == before[structure]
        told = self.session.changed(revision)
        now = self.session.drawn()
        for index in set(range(SHAPE[0])) - set(told):
            np.testing.assert_array_equal(self.session.labels.array[index], labels[index])
            for structure in states.keys() & now.keys():
                assert now[structure][index] == states[structure][index]
        assert self.session.revision > revision or after == self.present
        if self.session.revision > revision:
            self.past.append(self.present)
            self.future.clear()
            self.present = after

    @rule(structure=structures)
    def add(self, structure: int) -> None:
        self.do(lambda: self.session.add(structure, f"another {structure}"))

    @rule(structure=structures, name=st.sampled_from(["liver", "spleen", " "]))
    def rename(self, structure: int, name: str) -> None:
        self.do(lambda: self.session.rename(structure, name))

    @rule(structure=structures)
    def remove(self, structure: int) -> None:
        self.do(lambda: self.session.remove(structure))

    @rule(structure=structures)
    def commit(self, structure: int) -> None:
        self.do(lambda: self.session.commit(structure))

    @rule(structure=structures)
    def release(self, structure: int) -> None:
        self.do(lambda: self.session.release(structure))

    @rule(index=st.integers(0, 9), structure=structures, axis=axes, seed=seeds)
    def draw(self, index: int, structure: int, axis: Axis, seed: int) -> None:
        mask = a_mask(seed, axis)

        def deed() -> None:
            self.session.draw(index, structure, mask, axis)
            plane = self.session.labels.array.take(index, axis)
            np.testing.assert_array_equal(plane == structure, mask & ~np.isin(plane, list(self.session.committed)))

        self.do(deed)

    @rule(index=st.integers(0, 5), structure=structures, axis=axes, seed=seeds, erase=st.booleans())
    def brush(self, index: int, structure: int, axis: Axis, seed: int, erase: bool) -> None:
        self.do(lambda: self.session.brush(index, structure, a_mask(seed, axis), erase=erase, axis=axis))

    @rule(index=st.integers(0, 5), structure=structures, axis=axes)
    def clear(self, index: int, structure: int, axis: Axis) -> None:
        self.do(lambda: self.session.clear(index, structure, axis))

    @rule(structure=structures, first=st.integers(0, 2), last=st.integers(3, 5), axis=axes)
    def fill_between(self, structure: int, first: int, last: int, axis: Axis) -> None:
        self.do(lambda: self.session.fill_between(structure, first, last, axis))

    @rule(index=st.integers(0, 5), structure=structures, row=st.integers(0, 9), kind=st.integers(0, 2))
    def stroke(self, index: int, structure: int, row: int, kind: int) -> None:
        point = [(row, 4)]
        self.do(
            [
                lambda: self.session.click(index, structure, positive=point),
                lambda: self.session.click(index, structure, negative=point),
                lambda: self.session.box(index, structure, (row, 1, row + 2, 5)),
            ][kind]
        )

    @rule(
        ends=st.tuples(st.integers(0, 7), st.integers(0, 7)) | st.just((0, 5)),
        chosen=st.none() | st.lists(structures, min_size=1, max_size=2),
        axis=axes,
        stop_after=st.none() | st.integers(0, 6),
    )
    def propagate(self, ends: tuple[int, int], chosen: list[int] | None, axis: Axis, stop_after: int | None) -> None:
        drawn = [
            (name, n, k, self.session.labels.array.take(n, name) == k)
            for name in Axis
            for k, states in self.session.drawn(name).items()
            for n, state in enumerate(states)
            if state == "drawn"
        ]

        def deed() -> None:
            steps = self.session.propagate(*ends, chosen, axis)
            for number, step in enumerate(steps):
                assert step.done == number + 1 <= step.total
                assert step.finished is None or ends[0] <= step.finished <= ends[1]
                if number == stop_after:
                    steps.close()
            for axis_drawn, n, k, mask in drawn:
                np.testing.assert_array_equal(self.session.labels.array.take(n, axis_drawn) == k, mask)

        self.do(deed)

    @rule(index=st.integers(0, 5), axis=axes)
    def correct(self, index: int, axis: Axis) -> None:
        self.do(lambda: list(self.session.correct(index, axis=axis)))

    @rule(seed=seeds, axis=axes, drawn=st.booleans())
    def load_labels(self, seed: int, axis: Axis, drawn: bool) -> None:
        rng = np.random.default_rng(seed)
        array = np.zeros(SHAPE, np.uint8)
        array[rng.integers(SHAPE[0])] = rng.integers(0, 6, SHAPE[1:])
        self.do(lambda: self.session.load_labels(self.scan.with_array(array), drawn=drawn, axis=axis))

    @rule()
    def undo(self) -> None:
        assert self.session.can_undo == bool(self.past)
        if self.past:
            self.session.undo()
            self.future.append(self.present)
            self.present = self.past.pop()
            assert contents(self.session) == self.present

    @rule()
    def redo(self) -> None:
        assert self.session.can_redo == bool(self.future)
        if self.future:
            self.session.redo()
            self.past.append(self.present)
            self.present = self.future.pop()
            assert contents(self.session) == self.present

    @rule()
    def save_and_load(self) -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "work.ivos"
            self.session.save(path)
            self.session = InteractiveSession.load(path, self.scan, engine=NearestEngine(), strokes=Obedient())
        assert contents(self.session) == self.present

    def teardown(self) -> None:
        """All the way back, and forth again."""
        last = [*self.past, self.present, *reversed(self.future)]
        while self.session.can_undo:
            self.session.undo()
        assert contents(self.session) == last[0]
        for expected in last[1:]:
            self.session.redo()
            assert contents(self.session) == expected
        assert not self.session.can_redo


TestAnySequence = AnySequence.TestCase
TestAnySequence.settings = settings(max_examples=20, stateful_step_count=20, deadline=None, phases=[Phase.generate])
