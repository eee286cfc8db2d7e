"""Scans in, labels out, nothing drawn."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ivos.errors import InputError
from ivos.io.probabilities import write_probabilities
from ivos.io.provenance import Provenance
from ivos.io.read import read
from ivos.io.remote import local_copy
from ivos.io.write import write_volume
from ivos.nets.checkpoints import BUNDLED
from ivos.pipelines.outputs import LabelFiles, weights_checksum
from ivos.pipelines.protocol import Done
from ivos.report.scan import write_report
from ivos.report.summary import structure_rows
from ivos.segmentation.segmenter import Segmenter
from ivos.uncertainty.case_file import EVIDENCE, write_evidence
from ivos.uncertainty.estimate import load_estimator
from ivos.volume.windows import describe_windows, with_modality

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivos.pipelines.protocol import Case
    from ivos.segmentation.settings import SegmentationSettings, Structures
    from ivos.segmentation.two_stage import Segmentation
    from ivos.types import Progress
    from ivos.uncertainty.estimate import Estimate, Estimator
    from ivos.volume.volume import Volume


@dataclass(frozen=True)
class SegmentJob:
    """Segment scans, and write what is asked for beside their labels.

    Attributes:
        how: scans are segmented.
        probabilities: label ids whose probabilities are written, to ``probabilities/CASE/``.
        uncertainty: whether ``uncertainty/CASE.nii.gz`` is written.
        evidence: whether ``evidence/CASE.json`` is written.
        trust: file by which DSCs are estimated.
        labels: how label files are written.
        reports: folder for a folder with the report of each case; None for none.
    """

    how: SegmentationSettings
    probabilities: Structures = ()
    uncertainty: bool = False
    evidence: bool = False
    trust: Path | None = None
    labels: LabelFiles = field(default_factory=LabelFiles)
    reports: Path | None = None
    name: str = field(default="segment", init=False)

    def settings(self) -> dict[str, Any]:
        propagation = self.how.propagation
        if propagation != "none":
            propagation = weights_checksum(BUNDLED if propagation == "bundled" else Path(propagation))  # type: ignore[assignment]
        return {
            **self.how.as_recorded(),
            **self.labels.settings(),
            "reference": [weights_checksum(path) for path in self.how.reference],
            "propagation": propagation,
            "probabilities": list(self.probabilities) if self.probabilities != "all" else "all",
            "uncertainty": self.uncertainty,
            "evidence": self.evidence,
            "trust": None if self.trust is None else weights_checksum(self.trust),
        }

    def open(self) -> SegmentWorker:
        return SegmentWorker(self)


@dataclass(frozen=True)
class Segmented:
    """A segmented scan on its way to the disk.

    Attributes:
        scan: the scan.
        result: of its segmentation.
        estimates: of structures' DSCs by label id.
        seconds: that the segmentation took.
    """

    scan: Volume
    result: Segmentation
    estimates: Mapping[int, Estimate]
    seconds: float


class SegmentWorker:
    """Segments scans with networks loaded once.

    Raises:
        InputError: weights or settings cannot be used.
    """

    def __init__(self, job: SegmentJob) -> None:
        self._job = job
        self._segmenter = Segmenter(job.how)
        self._kept = self._segmenter.structures(job.probabilities)
        self._estimator = None if job.trust is None else _estimator(job.trust, self._segmenter)

    def read(self, case: Case) -> Volume:
        with local_copy(case.inputs["scan"]) as path:
            scan = with_modality(read(path, series=case.series, stack=case.stack), self._job.how.modality)
        self._job.labels.check_scan(scan, case.inputs["scan"])
        return scan

    def work(self, case: Case, data: Volume, progress: Progress | None = None) -> Segmented:  # noqa: ARG002
        """See :class:`ivos.pipelines.protocol.Worker`; progress is called with slices visited and slices to visit."""
        started = time.perf_counter()
        result = self._segmenter(data, probabilities=self._kept, progress=progress)
        seconds = time.perf_counter() - started
        estimates = (
            {label: self._estimator.estimate(label, figures) for label, figures in result.figures.items()}
            if self._estimator
            else {}
        )
        return Segmented(data, result, estimates, seconds)

    def write(self, case: Case, result: Segmented, output: Path) -> Done:
        if self._job.reports is not None:
            self.report(result, self._job.reports / case.name, case.name)
        return self.write_to(self._job.labels.path(output, case), case, result)

    def write_to(self, path: Path, case: Case, segmented: Segmented) -> Done:
        """Write all files of a case; the labels last, so that where they are everything is.

        Args:
            path: of the labels; the others go to folders beside them.
            case: the case.
            segmented: what was found.
        """
        result, folder, outputs = segmented.result, path.parent, {}
        if self._job.evidence:
            write_evidence(folder, case.name, self._segmenter.made_by, result.figures)
            outputs["evidence"] = f"{EVIDENCE}/{case.name}.json"
        if result.probabilities:
            names = result.labels.names
            of_structures = ((label, names.get(label, ""), array) for label, array in result.probabilities.items())
            write_probabilities(folder, case.name, result.labels, of_structures)
            for file in sorted((folder / "probabilities" / case.name).iterdir()):
                outputs[f"probabilities {file.name}"] = f"probabilities/{case.name}/{file.name}"
        if self._job.uncertainty:
            outputs["uncertainty"] = f"uncertainty/{case.name}.nii.gz"
            doubt = result.confidence.with_array(255 - result.confidence.array)
            write_volume(folder / outputs["uncertainty"], doubt)
        self._job.labels.write(path, result.labels, case, self._provenance())
        windows = describe_windows(segmented.scan, self._job.how.modality)
        return Done({**outputs, "labels": path.name}, {**_figures(segmented), **windows})

    def report(self, segmented: Segmented, folder: Path, title: str) -> None:
        """Write the report of a case."""
        write_report(
            folder,
            segmented.scan,
            segmented.result,
            title=title,
            engine=f"reference network, propagation: {self._job.how.propagation}",
            seconds={"segment": segmented.seconds},
            mark="reference",
            estimates=segmented.estimates,
        )

    def _provenance(self) -> Provenance:
        how = self._job.how
        parameters = {
            "combination": how.ensemble,
            "propagation": Path(str(how.propagation)).name,
            "choice": how.reference_selection,
        }
        networks = "+".join(path.name for path in how.reference)
        return Provenance(algorithm="ivos segment", parameters={"reference": networks, **parameters})


def _estimator(trust: Path, segmenter: Segmenter) -> Estimator:
    estimator = load_estimator(trust)
    if estimator.fitted_for != segmenter.made_by:
        raise InputError(f"{trust}: fitted to segmentations with other weights or settings; run ivos fit-quality again")
    return estimator


def _figures(segmented: Segmented) -> dict[str, Any]:
    result = segmented.result
    rows = structure_rows(result)
    for row in rows:
        if row["label"] in segmented.estimates:
            row["estimated_dsc"] = asdict(segmented.estimates[row["label"]])
    return {"reference_slices": result.source_slices, "structures": rows}
