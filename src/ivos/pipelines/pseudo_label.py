"""Predictions of a case in, labels to train on out where they can be trusted, and what a review says of the case."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ivos.io.dataset_json import dataset_json_of
from ivos.io.probabilities import PROBABILITIES
from ivos.io.provenance import Provenance
from ivos.io.read import read, read_labels
from ivos.pipelines.outputs import LabelFiles
from ivos.pipelines.protocol import Case, Done
from ivos.pseudo_labels import accept
from ivos.pseudo_labels.predictions import (
    probabilities_of,
    read_predictions,
    refuse_other_numbering,
)
from ivos.report.review_cases import CaseReview
from ivos.volume.label_matching import in_one_numbering
from ivos.volume.labels import ignoring
from ivos.volume.volume import on_grid_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivos.pseudo_labels import PseudoLabels, PseudoLabelSettings
    from ivos.volume.label_matching import By
    from ivos.volume.volume import Volume

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PseudoLabelJob:
    """Judge predictions; cases are made by :meth:`case`.

    Attributes:
        judging: how predictions become labels.
        predictions: what their folders are called.
        labels: how label files are written.
        by: what tells which labels are the same structure.
        ignore: the label that a person says is "ignore".
    """

    judging: PseudoLabelSettings
    predictions: tuple[str, ...]
    labels: LabelFiles = field(default_factory=LabelFiles)
    by: By = "auto"
    ignore: int | None = None
    name: str = field(default="pseudo-label", init=False)

    @property
    def by_probability(self) -> bool:
        """Whether the probabilities beside the labels are read too."""
        return self.judging.consensus == "mean-probability" and len(self.predictions) > 1

    def settings(self) -> dict[str, Any]:
        return {**self.labels.settings(), **self.judging.model_dump(mode="json"), "by": self.by, "ignore": self.ignore}

    def case(self, name: str, files: Sequence[Path], previous: Path | None, scan: Path | None) -> Case:
        """A case of this job.

        The role of a prediction is its path as it was given: what is wrong has to say with which of several files.
        What the files of a folder share, and probabilities, are inputs since results change with them.

        Args:
            name: of the case.
            files: its labels, one of each prediction.
            previous: its labels of the previous round.
            scan: what they lie on.
        """
        beside = [path for path in map(dataset_json_of, files) if path is not None]
        if self.by_probability:
            beside += [path.parent / PROBABILITIES / name for path in files]
        named = {"previous": previous, "scan": scan}
        roles = {str(path): path for path in (*files, *beside)}
        roles |= {role: path for role, path in named.items() if path is not None}
        return Case(name, {role: str(path.absolute()) for role, path in roles.items()})

    def open(self) -> PseudoLabelWorker:
        return PseudoLabelWorker(self)


@dataclass(frozen=True)
class Predicted:
    """What a case is judged by.

    Attributes:
        files: the labels' files.
        labels: one of each prediction, on one grid.
        previous: those of the previous round.
    """

    files: list[Path]
    labels: list[Volume]
    previous: Volume | None


class PseudoLabelWorker:
    """Judges one case after the other."""

    def __init__(self, job: PseudoLabelJob) -> None:
        self._job, self._review = job, CaseReview()

    def read(self, case: Case) -> Predicted:
        files = [Path(place) for place in list(case.inputs.values())[: len(self._job.predictions)]]
        by, note = self._job.by, refuse_other_numbering if self._job.by_probability else _log.warning
        labels = read_predictions(files, _path(case, "scan"), by=by, ignore=self._job.ignore, note=note)
        path = _path(case, "previous")
        previous = None
        if path is not None:
            before = ignoring(read_labels(path, scan=labels[0]), self._job.ignore)
            before = on_grid_of(before, labels[0], str(path))
            *_, previous = in_one_numbering([*labels, before], [*files, path], by)
        return Predicted(files, labels, previous)

    def work(self, case: Case, data: Predicted) -> tuple[PseudoLabels, dict[str, Any]]:
        job, labels, probabilities = self._job, data.labels, None
        if job.by_probability:
            probabilities = probabilities_of([path.parent for path in data.files], case.name, labels[0])
        judged = accept(labels, job.judging, data.previous, probabilities=probabilities)
        others = dict(zip(job.predictions, labels, strict=True))
        if data.previous is not None:
            others["previous round"] = data.previous
        told = self._review(case.name, judged, others, lambda: _scan(_path(case, "scan"), labels[0]))
        return judged, told

    def write(self, case: Case, result: tuple[PseudoLabels, dict[str, Any]], output: Path) -> Done:
        """See :class:`ivos.pipelines.protocol.Worker`; a case that is not accepted has no labels."""
        (judged, told), files, judging = result, self._job.labels, self._job.judging
        if judged.labels is None:
            return Done({}, told)
        path = files.path(output, case)
        trust = "-" if judged.trust is None else f"{judged.trust:.3f}"
        parameters = {"consensus": judging.consensus, "rule": judging.rule, "trust": trust}
        files.write(path, judged.labels, case, Provenance(algorithm="ivos pseudo-label", parameters=parameters))
        return Done({"labels": path.name}, told)


def _path(case: Case, role: str) -> Path | None:
    return Path(case.inputs[role]) if role in case.inputs else None


def _scan(path: Path | None, labels: Volume) -> Volume | None:
    """The scan in the orientation of its labels."""
    if path is None:
        return None
    scan = read(path)
    return replace(on_grid_of(scan, labels, str(path)), modality=scan.modality)
