"""Reference networks that look for organs by themselves, beside everything else."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from typing import TYPE_CHECKING, Protocol

from ivos.annotate.messages import Job
from ivos.errors import InputError

if TYPE_CHECKING:
    from ivos.annotate.messages import JobState
    from ivos.annotate.session.scan_session import ScanSession
    from ivos.annotate.session.worker import Worker
    from ivos.types import Progress
    from ivos.volume.volume import Volume

logger = logging.getLogger(__name__)

_TELL_EVERY_S = 0.5


class AutoSegmenter(Protocol):
    """Segments a scan of which nothing is drawn."""

    def __call__(self, scan: Volume, progress: Progress) -> Volume:
        """Labels on the scan's grid, with names."""


class _Stopped(Exception):  # noqa: N818 - not an error
    pass


class AutoSegmentJob:
    """Runs in a thread of its own; what it has found is taken as a guess, in one step.

    Args:
        scan: the open scan.
        worker: in which it is told.
        find: does it.
        who: asked for it.
    """

    def __init__(self, scan: ScanSession, worker: Worker, find: AutoSegmenter, who: str) -> None:
        self._scan, self._worker, self._find, self._who = scan, worker, find, who
        self._id, self._done, self._total = secrets.token_hex(4), 0, 0
        self._state: JobState = "running"
        self._goes = threading.Event()
        self._goes.set()
        self._began = self._told = time.monotonic()
        self._ended: str | None = None

    @property
    def message(self) -> Job:
        """How far it is."""
        speed = self._done / max(time.monotonic() - self._began, 1e-3) if self._done else None
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

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="ivos-find", daemon=True).start()

    @property
    def cut_off(self) -> bool:
        """Never: what it finds gives way to all that is done meanwhile."""
        return False

    def pause(self, paused: bool) -> None:
        """Pause it, or let it go on."""
        if self.over:
            return
        self._state = "paused" if paused else "running"
        (self._goes.clear if paused else self._goes.set)()
        self._scan.keep(None)

    def stop(self, why: str | None = None) -> str:
        """End it; nothing of it stays."""
        line = "Finding organs has ended" + (f": {why}." if why is not None else ".")
        if not self.over:
            self._ended = None if why is None else line
            self._state = "stopped"
            self._goes.set()
            self._scan.ended(None)
        return line

    def _run(self) -> None:
        try:
            found = self._find(self._scan.volume, self._progress)
        except _Stopped:
            return
        except Exception as error:  # a network may raise nearly anything: memory, device, drivers
            if not isinstance(error, InputError):
                logger.error("finding organs failed: %s", type(error).__name__, exc_info=error)
            line = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}".splitlines()[0]
            if not self.over:
                self._worker.later(lambda: self._end("failed", f"finding organs failed: {line}"))
            return
        if not self.over:
            self._worker.later(lambda: self._take(found))

    def _progress(self, done: int, total: int) -> None:
        self._goes.wait()
        if self.over:
            raise _Stopped
        self._done, self._total = done, total
        if time.monotonic() - self._told > _TELL_EVERY_S:
            self._told = time.monotonic()
            self._worker.later(lambda: None if self.over else self._scan.keep(None))

    def _take(self, found: Volume) -> None:
        if self.over:
            return
        self._end("done", None)
        try:
            self._scan.load(found, self._who, drawn=False, name="found by reference networks")
        except InputError as error:
            self._scan.tell_error(f"finding organs failed: {error}")

    def _end(self, state: JobState, line: str | None) -> None:
        if not self.over:
            self._state = state
            self._scan.ended(line)
