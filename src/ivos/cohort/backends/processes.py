"""Cases over several processes of this machine, each with its networks; one that dies costs what it had in hand."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection
from typing import TYPE_CHECKING, Any

from ivos.cohort.backends.child import serve
from ivos.cohort.backends.pipeline import IN_HAND
from ivos.cohort.backends.protocol import CaseStarted, Outcome
from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from pathlib import Path

    from ivos.pipelines.protocol import Case, Job

_SPAWN = multiprocessing.get_context("spawn")  # forked processes inherit locks of threads that they have not
_STARTS = 3
"""Workers that may die in a row before they have opened the job; then it is not chance."""


@dataclass(frozen=True)
class ProcessesBackend:
    """Processes that are started anew when they die.

    Attributes:
        workers: so many, or as many as there are cases.
        threads_each: for computing in each; by default its share of the cores.
    """

    workers: int
    threads_each: int | None = None

    def run(
        self, job: Job, cases: Iterable[Case], output: Path, *, ahead: bool = True
    ) -> Generator[CaseStarted | Outcome, None, None]:
        threads = self.threads_each or max(1, _cores() // self.workers)
        pool = _Pool(job, output, iter(cases), self.workers, threads, IN_HAND if ahead else 1)
        try:
            yield from pool.events()
            pool.dismiss()
        finally:
            pool.kill()


class _Worker:
    """A process, from its start on.

    Attributes:
        name: the worker's.
        in_hand: cases given to it.
        opened: whether it has opened the job.
        pipe: to it.
    """

    def __init__(self, name: str, job: Job, output: Path, threads: int) -> None:
        self.name = name
        self.in_hand: dict[str, Case] = {}
        self.opened = False
        self.pipe, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=serve, args=(theirs, threads), daemon=True)
        self._process.start()
        theirs.close()
        self._send((job, output, name))

    def give(self, case: Case) -> None:
        self.in_hand[case.name] = case
        self._send(case)

    def receive(self) -> tuple[str, Any] | None:
        """The next message; None where the process is gone."""
        try:
            kind, content = self.pipe.recv()
        except (EOFError, OSError):
            return None
        self.opened = True
        if kind == "ended":
            del self.in_hand[content.case.name]
        return kind, content

    def reap(self) -> str:
        """How a process that has died did so."""
        self._process.join()
        code = self._process.exitcode or 0
        self.kill()
        return f"signal {-code}, {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def dismiss(self) -> None:
        """Let it end by itself."""
        self._send(None)
        self._process.join()

    def kill(self) -> None:
        self._process.kill()
        self._process.join()
        self._process.close()
        self.pipe.close()

    def _send(self, what: Any) -> None:
        with suppress(OSError):  # it is dead, which shows when its next message is waited for
            self.pipe.send(what)


class _Pool:
    """Workers by their places, of which some are empty, and the cases that they are given."""

    def __init__(self, job: Job, output: Path, cases: Iterator[Case], workers: int, threads: int, in_hand: int) -> None:
        self._job, self._output, self._threads, self._in_hand = job, output, threads, in_hand
        self._cases = cases
        self._returned: deque[Case] = deque()  # by workers that died before they had opened the job
        self._workers: list[_Worker | None] = [None] * workers
        self._failed_starts = 0

    def events(self) -> Iterator[CaseStarted | Outcome]:
        while True:
            self._give()
            busy = {worker.pipe: worker for worker in self._workers if worker is not None and worker.in_hand}
            if not busy:
                return
            for pipe in connection.wait(list(busy)):
                worker = busy[pipe]  # type: ignore[index]
                message = worker.receive()
                if message is None:
                    yield from self._died(worker)
                else:
                    self._failed_starts = 0
                    yield from _events_of_message(worker, *message)

    def dismiss(self) -> None:
        for worker in self._workers:
            if worker is not None:
                worker.dismiss()

    def kill(self) -> None:
        for worker in self._workers:
            if worker is not None:
                worker.kill()

    def _give(self) -> None:
        """A case for everyone, and then, if there are more, a further one."""
        for depth in range(self._in_hand):
            for place, worker in enumerate(self._workers):
                if worker is not None and len(worker.in_hand) > depth:
                    continue
                case = self._returned.popleft() if self._returned else next(self._cases, None)
                if case is None:
                    return
                if worker is None:
                    worker = _Worker(f"process {place + 1}", self._job, self._output, self._threads)
                    self._workers[place] = worker
                worker.give(case)

    def _died(self, worker: _Worker) -> Iterator[Outcome]:
        self._workers[self._workers.index(worker)] = None
        how = worker.reap()
        if worker.opened:
            for case in worker.in_hand.values():
                yield Outcome(case, "lost", reason=f"the worker died ({how})", worker=worker.name)
            return
        self._returned.extend(worker.in_hand.values())
        self._failed_starts += 1
        if self._failed_starts == _STARTS:
            count = len(self._workers)
            raise InputError(f"workers die while they load ({how}): with --workers {count} memory may not suffice")


def _events_of_message(worker: _Worker, kind: str, content: Any) -> Iterator[CaseStarted | Outcome]:
    if kind == "closed":
        raise InputError(content)
    if kind == "begun":
        yield CaseStarted(content, worker.name)
    if kind == "ended":
        yield content


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
