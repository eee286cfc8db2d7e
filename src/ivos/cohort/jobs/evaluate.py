"""Labels against labels, case by case: the scores go into the manifest, and no file is written."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ivos.cohort.addresses import all_at_hand
from ivos.cohort.job import Done
from ivos.metrics.evaluation import Score, evaluate
from ivos.volume.read_pair import read_pair

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ivos.cohort.job import Case
    from ivos.metrics.evaluation import Protocol
    from ivos.volume.volume import Volume


@dataclass(frozen=True)
class EvaluateJob:
    """Compare label files; cases have ``prediction`` and ``truth``.

    Attributes:
        protocol: see :func:`ivos.metrics.evaluation.evaluate`, as for the others.
        tolerance_mm: of the NSD.
        structures: label ids.
        names: of label ids.
        ignore: the label that a person says is "ignore".
    """

    protocol: Protocol = "standard"
    tolerance_mm: float = 2.0
    structures: tuple[int, ...] | None = None
    names: Mapping[int, str] | None = None
    ignore: int | None = None
    name: str = field(default="evaluate", init=False)

    def settings(self) -> dict[str, Any]:
        """See :class:`ivos.cohort.job.Job`."""
        return {
            "version": version("ivos"),  # what another one computed is not kept
            "protocol": self.protocol,
            "tolerance_mm": self.tolerance_mm,
            "structures": None if self.structures is None else list(self.structures),
            "names": None if self.names is None else {str(label): name for label, name in self.names.items()},
            "ignore": self.ignore,
        }

    def open(self) -> EvaluateWorker:
        """See :class:`ivos.cohort.job.Job`."""
        return EvaluateWorker(self)


class EvaluateWorker:
    """Reads one pair while it compares another."""

    def __init__(self, job: EvaluateJob) -> None:
        self._job = job

    def read(self, case: Case) -> tuple[Volume, Volume]:
        """See :class:`ivos.cohort.job.Worker`."""
        with all_at_hand(case.inputs) as paths:
            return read_pair(
                paths["prediction"], paths["truth"], structures=self._job.structures, names=self._job.names
            )

    def work(self, case: Case, data: tuple[Volume, Volume]) -> list[Score]:
        """See :class:`ivos.cohort.job.Worker`."""
        job = self._job
        return evaluate(
            *data,
            protocol=job.protocol,
            tolerance_mm=job.tolerance_mm,
            structures=job.structures,
            names=job.names,
            ignore=job.ignore,
            case=case.name,
        )

    def write(self, case: Case, result: list[Score], output: Path) -> Done:  # noqa: ARG002 - the manifest has it all
        """See :class:`ivos.cohort.job.Worker`."""
        return Done({}, {"scores": [asdict(score) for score in result]})


def scores_in(figures: Mapping[str, Any]) -> list[Score]:
    """The scores of a case from its figures, digit for digit; NaN and infinity too, which Python's JSON has."""
    return [Score(**score) for score in figures["scores"]]
