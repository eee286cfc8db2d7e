"""Cases one after the other in this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ivos.cohort.backends.case_execution import CaseExecution
from ivos.cohort.backends.protocol import CaseStarted

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from pathlib import Path

    from ivos.cohort.backends.protocol import Outcome
    from ivos.pipelines.protocol import Case, Job

_NAME = "this process"


@dataclass(frozen=True)
class SerialBackend:
    """No further process and nothing side by side: a case that takes the process with it takes the run."""

    def run(
        self,
        job: Job,
        cases: Iterable[Case],
        output: Path,
        *,
        ahead: bool = True,  # noqa: ARG002 - there is never more than one case in hand
    ) -> Generator[CaseStarted | Outcome, None, None]:
        worker = None
        for case in cases:
            worker = worker or job.open()
            yield CaseStarted(case, _NAME)
            passage = CaseExecution(worker, case, output, _NAME)
            passage.read()
            passage.work()
            passage.write()
            yield passage.outcome()
