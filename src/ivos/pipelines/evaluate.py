"""Labels against labels, case by case: the scores go into the manifest, and no file is written."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ivos.io.pairs import read_pair
from ivos.io.remote import local_copies
from ivos.metrics.evaluation import Score, evaluate
from ivos.pipelines.protocol import Done

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ivos.metrics.flare22 import Protocol
    from ivos.pipelines.protocol import Case
    from ivos.volume.label_layers import LabelLayers
    from ivos.volume.label_matching import By


@dataclass(frozen=True)
class EvaluateJob:
    """Compare label files; cases have ``prediction`` and ``truth``, and ``scan`` where DICOM labels need it.

    Attributes:
        protocol: see :func:`ivos.metrics.evaluation.evaluate`, as for the others.
        tolerance_mm: of the NSD.
        structures: label ids.
        names: of label ids.
        ignore: the label that a person says is "ignore".
        by: what tells which labels are the same structure.
    """

    protocol: Protocol = "standard"
    tolerance_mm: float = 2.0
    structures: tuple[int, ...] | None = None
    names: Mapping[int, str] | None = None
    ignore: int | None = None
    by: By = "auto"
    name: str = field(default="evaluate", init=False)

    def settings(self) -> dict[str, Any]:
        return {
            "version": version("ivos"),  # what another one computed is not kept
            "protocol": self.protocol,
            "tolerance_mm": self.tolerance_mm,
            "structures": None if self.structures is None else list(self.structures),
            "names": None if self.names is None else {str(label): name for label, name in self.names.items()},
            "ignore": self.ignore,
            "by": self.by,
        }

    def open(self) -> EvaluateWorker:
        return EvaluateWorker(self)


class EvaluateWorker:
    """Reads one pair while it compares another."""

    def __init__(self, job: EvaluateJob) -> None:
        self._job = job

    def read(self, case: Case) -> tuple[LabelLayers, LabelLayers]:
        with local_copies(case.inputs) as paths:
            return read_pair(paths["prediction"], paths["truth"], scan=paths.get("scan"), names=self._job.names)

    def work(self, case: Case, data: tuple[LabelLayers, LabelLayers]) -> tuple[list[Score], list[str]]:
        job = self._job
        notes: list[str] = []
        scores = evaluate(
            *data,
            protocol=job.protocol,
            tolerance_mm=job.tolerance_mm,
            structures=job.structures,
            names=job.names,
            ignore=job.ignore,
            by=job.by,
            case=case.name,
            note=notes.append,
        )
        return scores, notes

    def write(self, case: Case, result: tuple[list[Score], list[str]], output: Path) -> Done:  # noqa: ARG002
        """See :class:`ivos.pipelines.protocol.Worker`; no file is written, the manifest has it all."""
        scores, notes = result
        return Done({}, {"scores": [asdict(score) for score in scores], "notes": notes})


def scores_in(figures: Mapping[str, Any]) -> list[Score]:
    """The scores of a case from its figures, digit for digit; NaN and infinity too, which Python's JSON has."""
    return [Score(**score) for score in figures["scores"]]


def notes_in(figures: Mapping[str, Any]) -> list[str]:
    """What is to be said of a case: that its labels were matched by name, for example."""
    return list(figures["notes"])
