"""`ivos propagate`: from a few drawn slices to the whole volume."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ivos.cli.cohort_command import json_rows, over_cohort, tell_failures
from ivos.cli.cohort_options import (
    ClusterOption,
    OverwriteOption,
    SeriesKernelOption,
    SeriesModalityOption,
    SeriesSlicesOption,
    SeriesThicknessOption,
    UploadOption,
    Where,
    WorkersOption,
    check_folder,
    check_one,
    is_cohort,
    series_rules,
    tell_left_out,
    with_series,
)
from ivos.cli.label_options import FormatOption, IgnoreLabelOption, PseudonymiseOption, pseudonyms_of
from ivos.cli.series_options import SeriesOption, StackOption
from ivos.cli.terminal import numbers, print_json, print_line, progress_bar, size_bytes
from ivos.device import DeviceChoice
from ivos.errors import InputError, counted
from ivos.files import check_writable, stem_of
from ivos.propagation.engines.protocol import EngineName
from ivos.types import AxisName
from ivos.volume.windows import Modality

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivos.cohort.dicom_tree import SeriesRules
    from ivos.cohort.sources import FoundCases
    from ivos.pipelines.propagate import Propagated, PropagateJob
    from ivos.types import Axis
    from ivos.volume.volume import Volume


def propagate(
    scan: Annotated[
        str,
        typer.Argument(
            help="NIfTI, NRRD or MetaImage file, DICOM folder or zip. Many: a folder of files, a tree of DICOM series, "
            "a list (.csv or .json: case, scan, annotations); addresses like s3://... too."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where the labels go: .nii.gz, .nrrd, .mha, .dcm; of many a folder.")
    ],
    annotations: Annotated[
        Path | None,
        typer.Option(
            help="Label volume on the scan's grid in which some slices are drawn; for a folder of scans a folder of "
            "files of the same names; lists name them."
        ),
    ] = None,
    engine: Annotated[EngineName, typer.Option(help="What carries masks from slice to slice.")] = "fast",
    checkpoint: Annotated[Path | None, typer.Option(help="Weights for the engine (stcn, xmem, fast).")] = None,
    refinement: Annotated[
        Path | None, typer.Option(help="Correct each structure in 3-D after the passes, with these weights.")
    ] = None,
    axis: Annotated[AxisName | None, typer.Option(help="Walk along this axis; default: the drawn one.")] = None,
    structures: Annotated[str | None, typer.Option(help="Only these label ids, like 1,4,7-9.")] = None,
    fully_annotated: Annotated[
        str | None,
        typer.Option(
            help="Slices on which everything present is drawn, so that what is not drawn there is absent: 'all' for "
            "every slice with something drawn, or the file's own slice numbers from 0, like 12,40-44."
        ),
    ] = None,
    ignore_label: IgnoreLabelOption = None,
    modality: Annotated[Modality, typer.Option(help="Intensity windows.")] = "auto",
    device: Annotated[DeviceChoice, typer.Option(help="Where networks run.")] = "auto",
    bfloat16: Annotated[bool, typer.Option("--bfloat16", help="stcn, xmem: faster, less exact.")] = False,
    long_term: Annotated[
        bool, typer.Option("--long-term", help="stcn: a long-term memory, for long scans; xmem has one.")
    ] = False,
    memory_budget: Annotated[str, typer.Option(help="What the engine's memory of slices may take.")] = "2GB",
    series: SeriesOption = None,
    stack: StackOption = None,
    report: Annotated[Path | None, typer.Option(help="Folder for a report of each scan (HTML, PNG, GIF).")] = None,
    workers: WorkersOption = None,
    cluster: ClusterOption = None,
    upload_to: UploadOption = None,
    overwrite: OverwriteOption = False,
    form: FormatOption = None,
    pseudonymise: PseudonymiseOption = None,
    series_modality: SeriesModalityOption = None,
    series_thickness: SeriesThicknessOption = None,
    series_kernel: SeriesKernelOption = None,
    series_slices: SeriesSlicesOption = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Carry a few drawn slices over the whole scan.

    Of many scans OUT gets cohort.html, a page, and cohort.sqlite, by which the same command goes on where it stopped.
    """
    from ivos.pipelines.outputs import LabelFiles
    from ivos.pipelines.propagate import PropagateJob

    job = PropagateJob(
        engine,
        checkpoint=None if checkpoint is None else checkpoint.absolute(),
        refinement=None if refinement is None else refinement.absolute(),
        device=device,
        memory_budget_bytes=size_bytes(memory_budget),
        bfloat16=bfloat16,
        long_term=long_term,
        axis=axis,
        structures=None if structures is None else tuple(numbers(structures)),
        complete=fully_annotated == "all" if fully_annotated in (None, "all") else tuple(numbers(fully_annotated)),
        modality=modality,
        ignore=ignore_label,
        labels=LabelFiles(form, pseudonyms_of(pseudonymise)),
        reports=None if report is None else report.absolute(),
    )
    where = Where(workers, cluster, upload_to)
    if report is not None:
        check_writable(report, "--report")
    if is_cohort(scan, output):
        rules = series_rules(series, series_modality, series_thickness, series_kernel, series_slices)
        found = with_series(_cases(scan, annotations, rules), series, stack)
        check_folder(output, scan, *([] if annotations is None else [str(annotations)]))
        _many(job, found, output, where, overwrite=overwrite, as_json=as_json)
    else:
        check_one(where, overwrite=overwrite)
        if annotations is None:
            raise InputError(f"{scan}: give the drawn slices with --annotations FILE")
        _one(job, scan, annotations, output, chosen=(series, stack), as_json=as_json)


def complete_slices(text: str | None, volume: Volume, axis: Axis) -> list[int] | bool:
    """Complete slices, from the file's own numbering to ours."""
    from ivos.pipelines.propagate import canonical_slices

    return text == "all" if text is None or text == "all" else canonical_slices(numbers(text), volume, axis)


def _one(
    job: PropagateJob,
    scan: str,
    annotations: Path,
    output: Path,
    *,
    chosen: tuple[str | None, int | None],
    as_json: bool,
) -> None:
    """A scan by itself: no manifest, no page."""
    from ivos.pipelines.protocol import Case

    job.labels.check_file(output, scan)
    for source in (Path(scan), annotations):
        if source.exists() and output.exists() and output.samefile(source):
            raise InputError(f"{output}: is an input of this command; give the output another name")
    case = Case(stem_of(output), {"scan": scan, "annotations": str(annotations)}, *chosen)
    worker = job.open()
    started = time.perf_counter()
    data = worker.read(case)
    read_s = time.perf_counter() - started
    with progress_bar("Propagating", shown=not as_json) as progress:
        propagated = worker.work(case, data, progress)
    done = worker.write_to(output, case, propagated)
    if job.reports is not None:
        worker.report(propagated, job.reports, case.name)
    page = None if job.reports is None else str(job.reports / "report.html")
    seconds = {"read": read_s, "propagate": propagated.seconds}
    told = {"output": str(output), "report": page, "seconds": seconds, **done.figures}
    if as_json:
        print_json(told)
        return
    if job.complete is False:
        _hint(propagated)
    _tell(told)


def _many(job: PropagateJob, found: FoundCases, output: Path, where: Where, *, overwrite: bool, as_json: bool) -> None:
    """A cohort, with a manifest and a page."""
    from ivos.cohort.page import PAGE

    job.labels.check(found.cases, where.folder(output))
    if not as_json:
        tell_left_out(found)
    rows = over_cohort(job, found.cases, output, where, overwrite=overwrite)
    done = json_rows(rows, found.cases, output)
    if as_json:
        print_json(done)
    else:
        print_line(f"{len(done)} of {counted(len(rows), 'scan')} propagated: {output / PAGE}")
    tell_failures(rows)


def _cases(source: str, annotations: Path | None, rules: SeriesRules) -> FoundCases:
    """Scans with their annotations: by their names in a folder, or as a list says."""
    from ivos.cohort.sources import cases_from, joined

    if annotations is None:
        return cases_from(source, roles=("annotations",), rules=rules)
    return joined(cases_from(source, rules=rules), "annotations", annotations)


def _hint(propagated: Propagated) -> None:
    """Say it where structures that a person left out on a drawn slice were filled in there."""
    import numpy as np

    result, drawn = propagated.result, propagated.drawn
    found, by_hand = (np.moveaxis(v.array, result.axis, 0)[list(result.sources)] for v in (result.labels, drawn))
    added = np.unique(found[(found != by_hand) & (found > 0)])
    if added.size:
        names = ", ".join(drawn.names.get(int(label), str(label)) for label in added[:4]) + ", ..." * (added.size > 4)
        print_line(
            f"Not drawn on every drawn slice, so carried across some: {names}. If absent there: --fully-annotated all"
        )


def _tell(told: dict[str, Any]) -> None:
    slices = counted(len(told["annotated_slices"]), f"annotated {told['axis']} slice")
    print_line(
        f"{counted(len(told['structures']), 'structure')} from {slices} "
        f"in {sum(told['seconds'].values()):.1f} s: {told['output']}"
    )
    if told["report"] is not None:
        print_line(f"Report: {told['report']}")
    tell_windows(told)


def tell_windows(told: Mapping[str, Any]) -> None:
    """Say which intensity windows were chosen where nothing but the intensities tells it."""
    if told["windows_by"] == "intensities":
        kind = "CT, in HU" if told["windows"] == "ct" else "other scans than CT, by percentiles"
        print_line(f"Intensity windows: those of {kind}, as its intensities suggest; --modality decides it.")
