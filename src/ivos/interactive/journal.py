"""Steps as they are made: one is open at a time, and ends when the next begins, unless that one changes no voxel."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from ivos.errors import InputError
from ivos.interactive.history import History
from ivos.interactive.state import Change

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ivos.interactive.history import Step
    from ivos.interactive.state import State


class Recorder(Protocol):
    """Is told of all that changes a session, once it has and before the session's caller hears of it.

    Who writes it down can do it all again with :meth:`Journal.replay`, :meth:`Journal.undo` and :meth:`Journal.redo`.
    A recorder that raises has not written it, and the session is ahead of it then: it is not to be used any more.
    """

    def step(self, step: Step) -> None:
        """A step is over that has changed something."""

    def undone(self) -> None:
        """The last step was taken back."""

    def redone(self) -> None:
        """The last step that was taken back was done again."""

    def beside(self, step: Step) -> None:
        """A step is over that was made beside an open one: it comes before that one in the history."""

    def beside_undone(self) -> None:
        """The last such step was taken back, and the open one goes on."""

    def beside_redone(self) -> None:
        """It was done again, and the open one goes on."""


class Journal:
    """Opens and ends steps of a session, undoes them and does them again.

    While a step is open (a propagation), others may be made beside it that change no voxel: names, locks. As neither
    touches what the other does, they stand before it in the history.

    Args:
        state: of the session.
        history: what can be undone so far.

    Attributes:
        recorder: is told of everything from now on; None for nobody.
    """

    def __init__(self, state: State, history: History) -> None:
        self._state, self._history = state, history
        self._open: Change | None = None  # of a propagation, between two of its slices
        self._beside = self._beside_undone = 0  # steps made since it was opened, and those of them taken back
        self.recorder: Recorder | None = None

    def begin(self, why: str) -> Change:
        """Open a step; one that is open ends.

        Args:
            why: that one ends, in words.
        """
        self.end(why)
        self._open = Change(self._state)
        return self._open

    def is_open(self, change: Change) -> bool:
        """Whether a step is not over yet."""
        return self._open is change

    def end(self, why: str | None = None) -> None:
        """Remember the open step, if there is one.

        Args:
            why: it ends, in words; None where it has come to its own end.
        """
        self._beside = self._beside_undone = 0
        if self._open is None:
            return
        self._open.ended_by = why
        step, self._open = self._open.step, None
        self._history.push(step)
        if self.recorder is not None and not step.empty:
            self.recorder.step(step)

    @contextmanager
    def step(self, why: str) -> Iterator[Change]:
        """A step that is over at the end of the block.

        Args:
            why: an open one ends, in words.
        """
        try:
            yield self.begin(why)
        finally:
            self.end()

    @contextmanager
    def step_beside(self) -> Iterator[Change]:
        """The same of one that changes no voxel and nothing that is drawn: one that is open stays open."""
        if self._open is None:
            with self.step("") as change:
                yield change
            return
        change = Change(self._state)
        yield change
        step = change.step
        if step.empty:
            return
        self._history.push(step)
        self._beside, self._beside_undone = self._beside + 1, 0
        if self.recorder is not None:
            self.recorder.beside(step)

    def replay(self, step: Step) -> None:
        """Do a step of another session that was in this very state.

        Raises:
            InputError: it is damaged.
        """
        self.end("a step of another session was done")
        self._state.turn(step)
        self._history.push(step)

    @property
    def under_way(self) -> Step | None:
        """What the open step has done so far; None if none is open."""
        return None if self._open is None else self._open.step

    @property
    def so_far(self) -> History:
        """The history with what the open step has done."""
        if self._open is None or self._open.step.empty:
            return self._history
        return History(self._history.budget_bytes, [*self._history.done, self._open.step])

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo, the open one included."""
        return bool(self.so_far.done)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to do again."""
        return bool(self._beside_undone or self.so_far.undone)

    def undo(self) -> None:
        """Take the last step back: one made beside the open one, which goes on, or else the open one, which ends.

        Raises:
            InputError: there is none, or it is damaged.
        """
        if self._beside:
            self._history.undo(self._state.turn)
            self._beside, self._beside_undone = self._beside - 1, self._beside_undone + 1
            if self.recorder is not None:
                self.recorder.beside_undone()
            return
        if self.can_undo:
            self.end("it was undone" if self._has_changed else "the step before it was undone")
        self._history.undo(self._state.turn)
        if self.recorder is not None:
            self.recorder.undone()

    def redo(self) -> None:
        """Do the last undone step again.

        Raises:
            InputError: there is none, or it is damaged.
        """
        if self._beside_undone:
            self._history.redo(self._state.turn)
            self._beside, self._beside_undone = self._beside + 1, self._beside_undone - 1
            if self.recorder is not None:
                self.recorder.beside_redone()
            return
        if not self.can_redo:
            raise InputError("there is nothing to do again")
        self.end("a step was done again")
        self._history.redo(self._state.turn)
        if self.recorder is not None:
            self.recorder.redone()

    @property
    def _has_changed(self) -> bool:
        return self._open is not None and not self._open.step.empty
