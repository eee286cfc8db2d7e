"""A job whose files go to an address, s3://... say, in place of the output folder, which keeps the manifest alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ivos.files import temporary_folder
from ivos.io.remote import put, redact_url
from ivos.pipelines.protocol import Done

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivos.pipelines.protocol import Case, Job, Worker

URLS_KEY = "at"
"""Figure of a case: where its files are, by role."""


@dataclass(frozen=True)
class UploadJob:
    """Another job, and where its files go.

    A case counts as done when all its files are there; whether they stay there is not looked into by later runs.

    Attributes:
        job: does the work.
        address: of a folder.
    """

    job: Job
    address: str

    @property
    def name(self) -> str:
        return self.job.name

    def settings(self) -> dict[str, Any]:
        return {**self.job.settings(), "delivered_to": redact_url(self.address)}

    def open(self) -> UploadWorker:
        return UploadWorker(self.job.open(), self.address.rstrip("/"))


class UploadWorker:
    """See :class:`ivos.pipelines.protocol.Worker`.

    Args:
        worker: does the work.
        address: of the folder for its files.
    """

    def __init__(self, worker: Worker, address: str) -> None:
        self._worker, self._address = worker, address
        self.read, self.work = worker.read, worker.work

    def write(self, case: Case, result: Any, output: Path) -> Done:  # noqa: ARG002 - the files go elsewhere
        """Write the files to a temporary folder, then put each at its address."""
        with temporary_folder() as folder:
            done = self._worker.write(case, result, folder)
            places = {role: f"{self._address}/{path}" for role, path in done.outputs.items()}
            for role, path in done.outputs.items():
                put(folder / path, places[role])
        at: Mapping[str, str] = {role: redact_url(place) for role, place in places.items()}
        return Done({}, {**done.figures, URLS_KEY: at})
