"""A propagation that goes on slice by slice, while others ask for other things in between."""

from __future__ import annotations

import logging
import secrets
import time
from typing import TYPE_CHECKING, Protocol

from ivos.annotate.messages import Job, SliceRange
from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ivos.annotate.messages import AxisName, JobState
    from ivos.annotate.session.worker import Worker
    from ivos.interactive.propagation import Visits

logger = logging.getLogger(__name__)

_TELL_EVERY_S = 0.5  # and write: what is shown is on the disk


class Running(Protocol):
    """Something that goes on by itself. All methods are called in the worker."""

    @property
    def message(self) -> Job:
        """How far it is."""

    @property
    def over(self) -> bool:
        """Whether it has ended."""

    @property
    def cut_off(self) -> bool:
        """Whether something that was done in the scan leaves it nothing to go on with: it is to be stopped."""

    def pause(self, paused: bool) -> None:
        """Pause it, or let it go on."""

    def stop(self, why: str | None = None) -> str:
        """End it; what is finished stays.

        Args:
            why: where something else ends it than being asked to.

        Returns:
            A line that says that it has ended, and where.
        """


class Owner(Protocol):
    """What a job works for."""

    def keep(self, finished: SliceRange | None) -> None:
        """Write what is finished, and tell of it and of the job."""

    def ended(self, line: str | None) -> None:
        """The job is over; a line says what went wrong, if anything did."""


class PropagationJob:
    """Asks for one slice after the other.

    Args:
        owner: is told.
        worker: in which it goes on.
        visits: the propagation.
        axis: of the slices.
        total: how many it visits, as far as known.
    """

    def __init__(
        self,
        owner: Owner,
        worker: Worker,
        visits: Visits,
        axis: AxisName,
        total: int,
    ) -> None:
        self._owner, self._worker, self._visits, self._axis = owner, worker, visits, axis
        self._id, self._done, self._total = secrets.token_hex(4), 0, total
        self._state: JobState = "running"
        self._finished: list[int] = []  # since they were told of last
        self._told, self._busy_s = time.monotonic(), 0.0
        self._ended: str | None = None

    @property
    def message(self) -> Job:
        """How far it is."""
        speed = self._done / self._busy_s if self._busy_s and self._done else None
        return Job(
            id=self._id,
            state=self._state,
            done=self._done,
            total=self._total,
            slices_per_second=speed,
            ended=self._ended,
        )

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._state in ("stopped", "done", "failed")

    @property
    def cut_off(self) -> bool:
        """See :class:`Running`."""
        return self._visits.cut_off

    def start(self) -> None:
        """Begin once the worker is free."""
        self._worker.later(self._go_on)

    def pause(self, paused: bool) -> None:
        """Pause it, or let it go on."""
        if self.over:
            return
        resumed = self._state == "paused" and not paused
        self._state = "paused" if paused else "running"
        self._keep()
        if resumed:
            self.start()

    def stop(self, why: str | None = None) -> str:
        """End it; finished slices stay."""
        line = f"The propagation has ended after {self._done} of {self._total} steps"
        line += f": {why}." if why is not None else "."
        if not self.over:
            self._ended = None if why is None else line
            self._end("stopped", self._visits.close)
        return line

    def _go_on(self) -> None:
        if self._state != "running":
            return
        began = time.monotonic()
        try:
            visited = next(self._visits)
        except StopIteration:
            whole = self._done == self._total
            self._ended = None if whole else f"The propagation has ended {self._visits.ended}."
            self._end("done" if whole else "stopped")
            return
        except Exception as error:  # a network may raise nearly anything: memory, device, drivers
            self._fail(error)
            return
        self._busy_s += time.monotonic() - began
        self._done, self._total = visited.done, visited.total
        if visited.finished is not None:
            self._finished.append(visited.finished)
        try:
            if time.monotonic() - self._told > _TELL_EVERY_S:
                self._keep()
        except InputError as error:
            self._fail(error)
            return
        self._worker.later(self._go_on)

    def _keep(self) -> None:
        """Have the owner write what is finished, and tell of it."""
        finished, self._finished = self._finished, []
        self._told = time.monotonic()
        span = SliceRange(axis=self._axis, first=min(finished), last=max(finished)) if finished else None
        self._owner.keep(span)

    def _end(self, state: JobState, closing: Callable[[], None] = lambda: None) -> None:
        try:
            closing()
            self._state = state
            self._keep()
        except InputError as error:
            self._fail(error)
            return
        self._owner.ended(None)

    def _fail(self, error: Exception) -> None:
        """The worker goes on whatever happens in a job."""
        self._state = "failed"
        if not isinstance(error, InputError):
            logger.error("a propagation failed: %s", type(error).__name__, exc_info=error)
        line = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}".splitlines()[0]
        self._owner.ended(f"propagation failed: {line}")
