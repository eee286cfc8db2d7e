"""What every backend can do: give cases to workers, and tell what became of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping
    from pathlib import Path

    from ivos.cohort.outputs import FileFacts
    from ivos.pipelines.protocol import Case, Done, Job

Kind = Literal["done", "refused", "lost"]
"""Refused: the case cannot be used. Lost: what failed is the machine or the program, so another attempt is worth it."""


@dataclass(frozen=True)
class CaseStarted:
    """A worker has taken a case in hand."""

    case: Case
    worker: str


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes:
        case: the case.
        kind: how it ended.
        done: what the worker says of it; None where it failed.
        reason: why it failed, one line for a person; None where it went well.
        seconds: what ``read``, ``work`` and ``write`` took, as far as the case came.
        peak_bytes: largest resident memory of the worker's process so far; 0 where it is not known.
        worker: which, ``"process 2"`` or a node's name for example.
        files: size and checksum of what was written, by path below the output folder; it is on the disk.
    """

    case: Case
    kind: Kind
    done: Done | None = None
    reason: str | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    peak_bytes: int = 0
    worker: str = ""
    files: Mapping[str, FileFacts] = field(default_factory=dict)


class Backend(Protocol):
    """Where cases are worked on."""

    def run(
        self, job: Job, cases: Iterable[Case], output: Path, *, ahead: bool = True
    ) -> Generator[CaseStarted | Outcome, None, None]:
        """Give each case to a worker, once.

        Cases are taken from the iterable in the caller's thread, and only as workers can begin on them. Closing the
        generator ends the workers; what they had in hand is not told of.

        Args:
            job: what is done.
            cases: to be done.
            output: folder for what is written.
            ahead: whether a worker reads the next case and writes the last one beside the work on a case. When it dies
                all of them are lost; False where it has to be known which case it died of.

        Yields:
            What is begun, and exactly one outcome a case, in the order in which they end.

        Raises:
            InputError: the workers cannot be had, or cannot open the job.
        """
