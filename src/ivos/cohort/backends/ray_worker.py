"""A worker of a Ray cluster, seen from within: an actor that has loaded the job's networks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from ivos.cohort.backends.child import limit_threads, silence_libraries
from ivos.cohort.backends.pipeline import Pipeline
from ivos.errors import InputError
from ivos.io.remote import is_address

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.cohort.backends.protocol import Outcome
    from ivos.pipelines.protocol import Case, Job


@dataclass(frozen=True)
class MissingInput:
    """A file of a case that is not there on a machine; on others it may be."""

    role: str
    host: str

    @property
    def told(self) -> str:
        """What to do about it, if others see it."""
        return f"{self.host} does not see the cohort's files ({self.role}); workers need a shared file system"


class RayWorker:
    """Takes a job once, then cases, two at a time where it is given two.

    Args:
        host: name of its machine, for messages.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._name = f"{host}:{os.getpid()}"

    def open(self, job: Job, output: Path, mark: Path, threads: int, expected: str) -> tuple[str, str | None]:
        """Load the networks.

        Args:
            job: what is done.
            output: folder for what is written.
            mark: a folder in it that the driver has made.
            threads: for computing; 0 leaves them as they are.
            expected: version of ivos on the driver.

        Returns:
            The worker's name, and why it cannot be used; None where it can.
        """
        silence_libraries()  # Ray keeps what workers print
        if (found := version("ivos")) != expected:
            return self._name, f"{self._host} has ivos {found}, not {expected}; install the same everywhere"
        if not mark.is_dir():
            return self._name, f"{output}: {self._host} does not see this folder; workers need a shared file system"
        if not os.access(output, os.W_OK):
            return self._name, f"{output}: {self._host} may not write there"
        try:
            self._line = Pipeline(job, output, self._name, prepare=lambda: limit_threads(threads))
        except InputError as error:
            return self._name, f"{self._host}: {error}"
        return self._name, None

    def do(self, case: Case) -> Outcome | MissingInput:
        """What becomes of a case."""
        for role, place in case.inputs.items():
            if not is_address(place) and not os.path.exists(place):  # noqa: PTH110 - as paths come
                return MissingInput(role, self._host)
        return self._line.submit(case).result()
