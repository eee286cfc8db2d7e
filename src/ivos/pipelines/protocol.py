"""What a job over a cohort is: its cases, its settings, and the worker that does them one after the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Case:
    """A scan and what goes with it.

    Attributes:
        name: its own among the cases, and a safe file name; says nothing of the patient.
        inputs: path or address by role: ``"scan"``, ``"annotations"`` and others by the job.
        series: SeriesInstanceUID where the scan is one of several DICOM series in a folder.
        stack: its number where it is one of several stacks of a series.
    """

    name: str
    inputs: Mapping[str, str]
    series: str | None = None
    stack: int | None = None

    @property
    def part(self) -> str:
        """Which part of the scan's folder is taken: the same for the same series and stack, empty for all of it."""
        return (self.series or "") + ("" if self.stack is None else f" stack {self.stack}")


@dataclass(frozen=True)
class Done:
    """What a worker says of a case that went well; both can be written as JSON.

    Attributes:
        outputs: path below the output folder by role, ``{"labels": "case.nii.gz"}`` for example.
        figures: numbers and words for the manifest and the cohort's page. A page knows ``"structures"``: a list with
            ``label``, ``name``, ``volume_ml`` and, where there is one, ``estimated_dsc`` of each structure found.
    """

    outputs: Mapping[str, str]
    figures: Mapping[str, Any] = field(default_factory=dict)


class Worker(Protocol):
    """Lives in one process and has loaded its networks; what its methods raise costs the case alone.

    ``read`` and ``write`` are called from threads beside ``work``, with other cases than that.
    """

    def read(self, case: Case) -> Any:
        """What the work on a case needs, in memory.

        Raises:
            InputError: the case cannot be used.
        """

    def work(self, case: Case, data: Any) -> Any:
        """Compute."""

    def write(self, case: Case, result: Any, output: Path) -> Done:
        """All files of a case below the output folder, each whole or not there."""


class Job(Protocol):
    """What is to be done: a small frozen dataclass that can be sent to other processes; no networks, no open files."""

    @property
    def name(self) -> str:
        """A word: ``"segment"``, ``"propagate"``."""

    def settings(self) -> Mapping[str, Any]:
        """All that makes results the same, as JSON can hold it: settings, and checksums of weights.

        Raises:
            InputError: weights are missing, or settings do not go together.
        """

    def open(self) -> Worker:
        """Load the networks.

        Raises:
            InputError: weights or settings cannot be used.
        """
