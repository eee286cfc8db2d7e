"""The way of one case through a worker: what fails on it becomes its outcome."""

from __future__ import annotations

import errno
import logging
import re
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ivos.cohort.backends.protocol import Kind, Outcome
from ivos.cohort.outputs import facts_of
from ivos.errors import InputError
from ivos.io.remote import UnreachableError, canonical_url, copies_of, is_address, redact_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from ivos.cohort.outputs import FileFacts
    from ivos.pipelines.protocol import Case, Done, Worker

_LOG = logging.getLogger(__name__)
_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ESTALE}
"""Errors that say something of the machine and nothing of the case."""


class CaseExecution:
    """A case on its way: ``read``, ``work`` and ``write`` in this order, from whichever threads, then ``outcome``.

    After a step that failed the others do nothing.

    Args:
        worker: does the case.
        case: the case.
        output: folder for what is written.
        name: of the worker, in the outcome.
    """

    def __init__(self, worker: Worker, case: Case, output: Path, name: str) -> None:
        self.case = case
        self._worker, self._output, self._name = worker, output, name
        self._seconds: dict[str, float] = {}
        self._failed: tuple[Kind, str] | None = None
        self._data: Any = None
        self._done: Done | None = None
        self._files: dict[str, FileFacts] = {}

    def read(self) -> None:
        """Get the case's data into memory."""
        self._data = self._step("read", lambda: self._worker.read(self.case))

    def work(self) -> None:
        """Compute; the data is let go of."""
        data, self._data = self._data, None
        self._data = self._step("work", lambda: self._worker.work(self.case, data))

    def write(self) -> None:
        """Write what was computed, and let go of it."""
        result, self._data = self._data, None
        written = self._step("write", lambda: self._written(result))
        if written is not None:
            self._done, self._files = written

    def outcome(self) -> Outcome:
        """What became of the case."""
        kind, reason = self._failed or ("done", None)
        return Outcome(self.case, kind, self._done, reason, self._seconds, peak_bytes(), self._name, self._files)

    def _written(self, result: Any) -> tuple[Done, dict[str, FileFacts]]:
        done = self._worker.write(self.case, result, self._output)
        return done, facts_of(self._output, sorted(done.outputs.values()))

    def _step(self, step: str, action: Callable[[], Any]) -> Any:
        if self._failed:
            return None
        started = time.perf_counter()
        try:
            return action()
        except (Exception, SystemExit) as error:  # whatever it is, it costs this case alone
            kind, reason = _failure(error)
            self._failed = kind, without_places(reason, self.case)
            if not isinstance(error, InputError | OSError):  # a defect of ours: say where
                where = "".join(traceback.format_tb(error.__traceback__))  # without the message, which may name places
                _LOG.warning("%s: %s: %s\n%s", self.case.name, step, self._failed[1], where)
            return None
        finally:
            self._seconds[step] = time.perf_counter() - started


def without_places(reason: str, case: Case) -> str:
    """A reason as one line that says ``scan`` for the scan's path, and so on: paths may name a patient."""
    for role, place in sorted(case.inputs.items(), key=lambda item: -len(item[1])):
        for written in sorted(
            {place, str(Path(place)), redact_url(place), canonical_url(place)} - {"."}, key=len, reverse=True
        ):
            reason = reason.replace(written, role)
        if is_address(place):
            reason = re.sub(copies_of(place), lambda _, role=role: role, reason)  # type: ignore[misc]
    return " ".join(reason.split())


def peak_bytes() -> int:
    """Largest resident memory of this process so far; 0 where the system does not say."""
    try:
        import resource
    except ModuleNotFoundError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _failure(error: BaseException) -> tuple[Kind, str]:
    """How a case ends by an error, and the reason."""
    if isinstance(error, InputError):
        return "lost" if _of_the_machine(error) else "refused", str(error)
    if isinstance(error, OSError):
        name = "" if error.filename is None else f"{error.filename}: "
        return "lost" if _of_the_machine(error) else "refused", f"{name}{error.strerror or error}"
    return "lost", f"{type(error).__name__}: {error}"


def _of_the_machine(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, UnreachableError) or (isinstance(error, OSError) and error.errno in _MACHINE):
            return True
        error = error.__cause__
    return False
