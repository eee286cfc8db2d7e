"""Scans and a few drawn slices in, labelled volumes out."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ivos.errors import InputError
from ivos.io.provenance import Manner, Provenance
from ivos.io.read import read, read_labels
from ivos.io.remote import local_copies
from ivos.nets.checkpoints import BUNDLED
from ivos.pipelines.outputs import LabelFiles, weights_checksum
from ivos.pipelines.protocol import Done
from ivos.propagation.annotated_planes import along_one_axis
from ivos.propagation.engines.registry import create_engine
from ivos.propagation.propagate import propagate_along
from ivos.propagation.refine.refine import load_refiner
from ivos.report.scan import write_report
from ivos.report.summary import structure_rows
from ivos.volume.labels import ignoring
from ivos.volume.volume import on_grid_of
from ivos.volume.windows import describe_windows, with_modality

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ivos.device import DeviceChoice
    from ivos.pipelines.protocol import Case
    from ivos.propagation.annotated_planes import OneAxis
    from ivos.propagation.engines.protocol import EngineName
    from ivos.propagation.propagate import Propagation
    from ivos.types import Axis, Progress
    from ivos.volume.volume import Volume
    from ivos.volume.windows import Modality


@dataclass(frozen=True)
class PropagateJob:
    """Carry drawn slices over scans; cases have ``annotations``.

    Attributes:
        engine: carries masks from slice to slice.
        checkpoint: its weights.
        refinement: weights of the correction in three dimensions that follows the passes; None for none.
        device: where it runs.
        memory_budget_bytes: what its memory of slices may take.
        bfloat16: see :func:`ivos.propagation.engines.registry.create_engine`.
        long_term: see there.
        axis: to walk along; None for the drawn one.
        structures: label ids to carry on; None for all that are drawn.
        complete: slices on which everything present is drawn, in the files' own numbers; True for every drawn one.
        modality: which windows show scans.
        ignore: the label that a person says is "ignore".
        labels: how label files are written.
        reports: folder for a folder with the report of each case; None for none.
    """

    engine: EngineName = "fast"
    checkpoint: Path | None = None
    refinement: Path | None = None
    device: DeviceChoice = "auto"
    memory_budget_bytes: int = 2 * 10**9
    bfloat16: bool = False
    long_term: bool = False
    axis: Axis | str | None = None
    structures: tuple[int, ...] | None = None
    complete: tuple[int, ...] | bool = False
    modality: Modality = "auto"
    ignore: int | None = None
    labels: LabelFiles = field(default_factory=LabelFiles)
    reports: Path | None = None
    name: str = field(default="propagate", init=False)

    def settings(self) -> dict[str, Any]:
        weights = BUNDLED if self.checkpoint is None and self.engine == "fast" else self.checkpoint
        return {
            **self.labels.settings(),
            "engine": self.engine,
            "checkpoint": None if weights is None else weights_checksum(weights),
            "refinement": None if self.refinement is None else weights_checksum(self.refinement),
            "memory_budget_bytes": self.memory_budget_bytes,
            "bfloat16": self.bfloat16,
            "long_term": self.long_term,
            "axis": self.axis,
            "structures": None if self.structures is None else list(self.structures),
            "complete": list(self.complete) if isinstance(self.complete, tuple) else self.complete,
            "modality": self.modality,
            **({} if self.ignore is None else {"ignore": self.ignore}),
        }

    def open(self) -> PropagateWorker:
        return PropagateWorker(self)


@dataclass(frozen=True)
class Propagated:
    """A propagated scan on its way to the disk.

    Attributes:
        scan: the scan.
        drawn: its annotations.
        result: of the propagation.
        dropped: how many voxels of annotations were not of the axis.
        seconds: that it took.
        windows: see :func:`ivos.volume.windows.describe_windows`.
    """

    scan: Volume
    drawn: Volume
    result: Propagation
    dropped: int
    seconds: float
    windows: Mapping[str, str]


class PropagateWorker:
    """Propagates with an engine loaded once.

    Raises:
        InputError: weights or settings cannot be used.
    """

    def __init__(self, job: PropagateJob) -> None:
        self._job = job
        self._engine = create_engine(
            job.engine,
            checkpoint=job.checkpoint,
            device=job.device,
            memory_budget_bytes=job.memory_budget_bytes,
            bfloat16=job.bfloat16,
            long_term=job.long_term,
        )

        self._refiner = None if job.refinement is None else load_refiner(job.refinement, device=job.device)

    def read(self, case: Case) -> tuple[Volume, OneAxis]:
        with local_copies(case.inputs) as paths:
            scan = with_modality(read(paths["scan"], series=case.series, stack=case.stack), self._job.modality)
            self._job.labels.check_scan(scan, case.inputs["scan"])
            drawn = read_labels(paths["annotations"], scan=scan, structures=self._job.structures)
            drawn = on_grid_of(ignoring(drawn, self._job.ignore), scan, case.inputs["annotations"])
            job, what = self._job, case.inputs["annotations"]
            return scan, along_one_axis(drawn, job.axis, structures=job.structures, what=what)

    def work(
        self,
        case: Case,  # noqa: ARG002
        data: tuple[Volume, OneAxis],
        progress: Progress | None = None,
    ) -> Propagated:
        """See :class:`ivos.pipelines.protocol.Worker`; progress is called with slices visited and slices to visit."""
        started, job, (scan, taken) = time.perf_counter(), self._job, data
        complete = job.complete
        result = propagate_along(
            scan,
            taken,
            engine=self._engine,
            structures=job.structures,
            complete=canonical_slices(complete, scan, taken.axis) if isinstance(complete, tuple) else complete,
            modality=job.modality,
            refiner=self._refiner,
            progress=progress,
        )
        seconds, windows = time.perf_counter() - started, describe_windows(scan, job.modality)
        return Propagated(scan, taken.labels, result, taken.dropped, seconds, windows)

    def write(self, case: Case, result: Propagated, output: Path) -> Done:
        if self._job.reports is not None:
            self.report(result, self._job.reports / case.name, case.name)
        return self.write_to(self._job.labels.path(output, case), case, result)

    def write_to(self, path: Path, case: Case, propagated: Propagated) -> Done:
        """Write the labels of a case.

        Args:
            path: of the labels.
            case: the case.
            propagated: what came out.
        """
        result, job = propagated.result, self._job
        weights = {
            name: path.name
            for name, path in (("checkpoint", job.checkpoint), ("refinement", job.refinement))
            if path is not None
        }
        told = Provenance(
            Manner.semiautomatic,
            "ivos propagate",
            parameters={"engine": job.engine, **weights},
        )
        job.labels.write(path, result.labels, case, told)
        figures = {
            "axis": result.axis.plane,
            "annotated_slices": result.source_slices,
            "dropped_voxels": propagated.dropped,
            "structures": structure_rows(result),
            **propagated.windows,
        }
        return Done({"labels": path.name}, figures)

    def report(self, propagated: Propagated, folder: Path, title: str) -> None:
        """Write the report of a case."""
        seconds = {"propagate": propagated.seconds}
        write_report(folder, propagated.scan, propagated.result, title=title, engine=self._job.engine, seconds=seconds)


def canonical_slices(numbers: Sequence[int], scan: Volume, axis: Axis) -> list[int]:
    """Slice numbers of a scan's file as numbers in canonical order.

    Raises:
        InputError: outside the scan.
    """
    slices = scan.geometry.shape[axis]
    outside = [number for number in numbers if number >= slices]
    if outside:
        raise InputError(f"fully annotated slices {outside[:5]} are outside the scan, which has {slices} {axis} slices")
    return [scan.source_index(axis, number) for number in numbers]
