"""A worker with its three threads: it reads the next case and writes the last one beside the work on a case."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from ivos.cohort.backends.case_execution import CaseExecution

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ivos.cohort.backends.protocol import Outcome
    from ivos.pipelines.protocol import Case, Job

IN_HAND = 2
"""Cases that a worker should have: one to work on, and one to read meanwhile."""


class Pipeline:
    """Cases go in by ``submit`` and come out as futures; whoever submits limits how many there are in memory.

    Args:
        job: what is done; it is opened in the thread that computes, once.
        output: folder for what is written.
        name: of the worker, in outcomes.
        prepare: is called in the thread that computes, before anything else there.

    Raises:
        InputError: the job cannot be opened.
    """

    def __init__(self, job: Job, output: Path, name: str, prepare: Callable[[], None] = lambda: None) -> None:
        self._output, self._name = output, name
        self._read, self._work, self._write = (
            ThreadPoolExecutor(1, thread_name_prefix=step) for step in ("read", "work", "write")
        )
        self._work.submit(prepare).result()
        self._worker = self._work.submit(job.open).result()

    def submit(self, case: Case, begun: Callable[[], None] = lambda: None) -> Future[Outcome]:
        """Put a case in line.

        Args:
            case: the case.
            begun: is called when the work on it begins.
        """
        passage = CaseExecution(self._worker, case, self._output, self._name)
        outcome: Future[Outcome] = Future()
        reading = self._read.submit(passage.read)
        self._work.submit(self._through, passage, reading, begun, outcome)
        return outcome

    def close(self) -> None:
        """Wait for what is in line."""
        for executor in (self._read, self._work, self._write):
            executor.shutdown()

    def _through(
        self, passage: CaseExecution, reading: Future[None], begun: Callable[[], None], outcome: Future[Outcome]
    ) -> None:
        reading.result()
        begun()
        passage.work()
        self._write.submit(self._end, passage, outcome)

    @staticmethod
    def _end(passage: CaseExecution, outcome: Future[Outcome]) -> None:
        passage.write()
        outcome.set_result(passage.outcome())
