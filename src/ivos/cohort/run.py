"""One job over all cases of a cohort: each ends once, whatever dies on the way."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ivos.cohort.backends.protocol import CaseStarted
from ivos.cohort.leftovers import remove_stale_temporaries
from ivos.cohort.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ivos.cohort.backends.protocol import Backend, Outcome
    from ivos.pipelines.protocol import Case, Job


@dataclass(frozen=True)
class RunProgress:
    """How far a run is.

    Attributes:
        cases: of the cohort.
        before: those that an earlier run has ended, well or not.
        done: those that went well in this run.
        failed: those that did not.
        in_hand: cases that are worked on, by worker.
        seconds: since the run began.
        ended: what has just ended for good, and led to this standing.
    """

    cases: int
    before: int
    done: int = 0
    failed: int = 0
    in_hand: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    seconds: float = 0.0
    ended: Outcome | None = None


def run_cohort(
    job: Job,
    cases: Sequence[Case],
    output: Path,
    backend: Backend,
    *,
    attempts: int = 3,
    again: bool = False,
    progress: Callable[[RunProgress], None] | None = None,
) -> Manifest:
    """Do a job over cases; those that an earlier run has ended, with the same settings and inputs, are left out.

    A case that is lost, since its worker died or the disk was full, has another attempt after all others, with a worker
    to itself. One that kills every worker that takes it ends as lost.

    Args:
        job: what is done.
        cases: all of them.
        output: folder for what is written and for the manifest.
        backend: where they are worked on.
        attempts: at a case in this run, at most.
        again: do all, whatever was done before.
        progress: is called with every change.

    Returns:
        The manifest, open; to be closed by the caller.

    Raises:
        InputError: see :class:`ivos.cohort.manifest.Manifest` and :class:`ivos.cohort.backends.protocol.Backend`.
    """
    manifest = Manifest(output, job, cases, again=again)
    remove_stale_temporaries(output)
    try:
        run = _Run(manifest, len(cases), progress or (lambda _: None))
        for attempt in range(1, attempts + 1):
            waiting = manifest.waiting()
            if not waiting:
                break
            with closing(backend.run(job, iter(waiting), output, ahead=attempt == 1)) as events:
                run.follow(events, attempt, last=attempt == attempts)
    except BaseException:
        manifest.close()
        raise
    return manifest


class _Run:
    """Takes down what workers tell."""

    def __init__(self, manifest: Manifest, cases: int, progress: Callable[[RunProgress], None]) -> None:
        self._manifest, self._progress = manifest, progress
        self._in_hand: dict[str, str] = {}  # worker by case
        self._started = time.monotonic()
        self._standing = RunProgress(cases, cases - len(manifest.waiting()))
        self._tell()

    def follow(self, events: Iterator[CaseStarted | Outcome], attempt: int, *, last: bool) -> None:
        for event in events:
            if isinstance(event, CaseStarted):
                self._manifest.begun(event.case.name, event.worker)
                self._in_hand[event.case.name] = event.worker
                self._tell()
                continue
            if self._in_hand.pop(event.case.name, None) is None:  # its worker died before the work on it began
                self._manifest.begun(event.case.name, event.worker)
            if event.kind == "lost" and attempt > 1:
                event = replace(event, reason=f"{event.reason}, {attempt} times")
            self._manifest.ended(event)
            if event.kind == "lost" and not last:
                self._manifest.wait_again(event.case.name)
                self._tell()
            else:
                self._tell(event)

    def _tell(self, ended: Outcome | None = None) -> None:
        by_worker: dict[str, tuple[str, ...]] = {}
        for case, worker in self._in_hand.items():
            by_worker[worker] = (*by_worker.get(worker, ()), case)
        self._standing = replace(
            self._standing,
            done=self._standing.done + (ended is not None and ended.kind == "done"),
            failed=self._standing.failed + (ended is not None and ended.kind != "done"),
            in_hand=by_worker,
            seconds=time.monotonic() - self._started,
            ended=ended,
        )
        self._progress(self._standing)
