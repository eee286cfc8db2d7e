"""Steps as they are made: one is open at a time, and ends when the next begins."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

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


class Journal:
    """Opens and ends steps of a session, undoes them and does them again.

    Args:
        state: of the session.
        history: what can be undone so far.

    Attributes:
        recorder: is told of everything from now on; None for nobody.
    """

    def __init__(self, state: State, history: History) -> None:
        self._state, self._history = state, history
        self._open: Change | None = None  # of a propagation, between two of its slices
        self.recorder: Recorder | None = None

    def begin(self) -> Change:
        """Open a step; one that is open ends."""
        self.end()
        self._open = Change(self._state)
        return self._open

    def is_open(self, change: Change) -> bool:
        """Whether a step is not over yet."""
        return self._open is change

    def end(self) -> None:
        """Remember the open step, if there is one."""
        if self._open is None:
            return
        step, self._open = self._open.step, None
        self._history.push(step)
        if self.recorder is not None and not step.empty:
            self.recorder.step(step)

    @contextmanager
    def step(self) -> Iterator[Change]:
        """A step that is over at the end of the block."""
        try:
            yield self.begin()
        finally:
            self.end()

    def replay(self, step: Step) -> None:
        """Do a step of another session that was in this very state.

        Raises:
            InputError: it is damaged.
        """
        self.end()
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
        return bool(self.so_far.undone)

    def undo(self) -> None:
        """End the open step, and take the last one back.

        Raises:
            InputError: there is none, or it is damaged.
        """
        self.end()
        self._history.undo(self._state.turn)
        if self.recorder is not None:
            self.recorder.undone()

    def redo(self) -> None:
        """Do the last undone step again.

        Raises:
            InputError: there is none, or it is damaged.
        """
        self.end()
        self._history.redo(self._state.turn)
        if self.recorder is not None:
            self.recorder.redone()
