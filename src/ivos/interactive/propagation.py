"""Propagation as a session does it: slice by slice, as long as its caller goes on."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ivos.errors import first_line
from ivos.interactive.editing import write_finished

if TYPE_CHECKING:
    from collections.abc import Generator

    from ivos.interactive.correction import Correction
    from ivos.interactive.journal import Journal
    from ivos.interactive.span import PropagationSpan
    from ivos.interactive.state import Change
    from ivos.propagation.bidirectional import SliceStack
    from ivos.propagation.engines.protocol import Engine

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SliceProgress:
    """A slice that a propagation has come by.

    Attributes:
        done: slices visited so far.
        total: slices to visit; between drawn ones each is visited twice, from either side.
        finished: number of the slice if it has its labels now, None where that is still to come.
    """

    done: int
    total: int
    finished: int | None


class Visits:
    """The slices of a propagation, one after the other, each when it is asked for; and why there are no more.

    Args:
        visits: the slices.
        journal: of the session.
        change: the open step.
    """

    def __init__(self, visits: Generator[SliceProgress, None, str | None], journal: Journal, change: Change) -> None:
        self._visits, self._journal, self._change = visits, journal, change
        self._last: SliceProgress | None = None
        self._ended: str | None = None

    def __iter__(self) -> Visits:
        return self

    def __next__(self) -> SliceProgress:
        cut = self._cut_off()
        try:
            self._last = next(self._visits)
        except StopIteration as stop:
            early = cut or stop.value
            self._end(early or "all slices are visited", warn=early is not None)
            raise
        except Exception as error:
            self._end(f"{self._place}: {first_line(error)}")
            raise
        return self._last

    def close(self) -> None:
        """Stop; what is finished stays."""
        self._end(self._cut_off() or f"{self._place}: its caller stopped it")
        self._visits.close()
        if self._journal.is_open(self._change):  # nothing was asked for
            self._journal.end()

    @property
    def ended(self) -> str | None:
        """Why it has ended, in one line; None as long as there is more to come."""
        return self._ended or self._cut_off()

    @property
    def cut_off(self) -> bool:
        """Whether something else in the session has ended it."""
        return self._change.ended_by is not None

    @property
    def why(self) -> str | None:
        """What that was."""
        return self._change.ended_by

    @property
    def _place(self) -> str:
        last = self._last
        return "before its first step" if last is None else f"after {last.done} of {last.total} steps"

    def _cut_off(self) -> str | None:
        return None if self._change.ended_by is None else f"{self._place}: {self._change.ended_by}"

    def _end(self, why: str, *, warn: bool = False) -> None:
        if self._ended is None:
            self._ended = why
            if warn:
                _log.warning("the propagation ended %s", why)


def run_propagation(
    journal: Journal, change: Change, stretch: PropagationSpan | Correction, stack: SliceStack, engine: Engine
) -> Visits:
    """Walk a stretch and write what is finished into an open step, until it is over or another step ends it.

    Structures that are locked meanwhile stay as they are from then on; when all of them are, it is over.

    Args:
        journal: of the session.
        change: the open step.
        stretch: what to walk, and how.
        stack: the whole scan along its axis.
        engine: carries masks; at the end it has forgotten everything.

    Returns:
        One item a visited slice.
    """
    return Visits(_visited(journal, change, stretch, stack, engine), journal, change)


def _visited(
    journal: Journal, change: Change, stretch: PropagationSpan | Correction, stack: SliceStack, engine: Engine
) -> Generator[SliceProgress, None, str | None]:
    if not journal.is_open(change):
        return None
    chosen, locked = frozenset(stretch.annotations.structures), frozenset[int]()
    done = 0
    try:
        for done, finished in enumerate(stretch.walked(stack, engine), start=1):
            locked |= chosen & change.state.facts.committed  # for good: an unlocked one would have a gap
            if locked == chosen:
                return f"after {done - 1} of {stretch.total} steps: all structures that it carries are locked"
            if finished is not None:
                write_finished(change, stretch.axis, finished, stretch.annotations.structures, locked)
            yield SliceProgress(done, stretch.total, None if finished is None else finished.index)
            if not journal.is_open(change):
                return None
        engine.reset()  # it remembers slices, and a session lasts
    finally:
        if journal.is_open(change):
            journal.end()
    return None
