"""`ivos segment`: scans in, labels out, nothing drawn."""

from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

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
from ivos.cli.cohort_view import Measured
from ivos.cli.commands.propagate import tell_windows
from ivos.cli.label_options import FormatOption, PseudonymiseOption, pseudonyms_of
from ivos.cli.series_options import SeriesOption, StackOption
from ivos.cli.terminal import numbers, print_json, print_line, progress_bar
from ivos.device import DeviceChoice
from ivos.errors import InputError, counted
from ivos.files import check_writable, stem_of
from ivos.segmentation.settings import Combination, FusionName, ReferenceSelection, SegmentationSettings
from ivos.volume.windows import Modality

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivos.cohort.dicom_tree import SeriesRules
    from ivos.metrics.efficiency import Sampler
    from ivos.pipelines.segment import SegmentJob


def segment(
    scan: Annotated[
        str,
        typer.Argument(
            help="NIfTI, NRRD or MetaImage file, DICOM folder or zip. Many: a folder of files, a tree of DICOM series, "
            "a list (.csv or .json: case, scan); addresses like s3://... too."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Label file; for many scans a folder.")],
    reference: Annotated[
        list[Path], typer.Option(help="Weights of a reference network; repeat for several that answer together.")
    ],
    ensemble: Annotated[Combination, typer.Option(help="What several reference networks say together.")] = "mean",
    tta_mirror: Annotated[bool, typer.Option("--tta-mirror", help="Also see slices mirrored sideways.")] = False,
    propagation: Annotated[
        str, typer.Option(help="'bundled', weights (fast, stcn), or 'none': every slice by itself.")
    ] = "bundled",
    stride: Annotated[int, typer.Option(min=1, help="Look for references on one slice in so many.")] = 3,
    max_slices: Annotated[int | None, typer.Option(min=1, help="On so many slices at most.")] = None,
    reference_selection: Annotated[
        ReferenceSelection, typer.Option(help="Which of those become reference slices.")
    ] = "largest-area",
    max_references: Annotated[
        int, typer.Option(min=1, help="So many at most; not for non-empty and largest-area.")
    ] = 8,
    fusion: Annotated[
        FusionName | None,
        typer.Option(help="Of the two passes; default: the network's own, with stcn distance-confidence."),
    ] = None,
    fuse_with_reference: Annotated[
        bool,
        typer.Option(
            "--fuse-with-reference", help="Reference networks see every slice, and count as much as propagation there."
        ),
    ] = False,
    largest_component: Annotated[
        str | None, typer.Option(help="Keep one piece of these label ids, like 1,4,7-9, or 'all'.")
    ] = None,
    fill_holes: Annotated[str | None, typer.Option(help="Fill the holes of these label ids, or 'all'.")] = None,
    probabilities: Annotated[
        str | None, typer.Option(help="Also write the probabilities of these label ids, or 'all'.")
    ] = None,
    uncertainty: Annotated[
        bool, typer.Option("--uncertainty", help="Also write how unsure each voxel's label is, 0 to 255.")
    ] = False,
    quality_model: Annotated[
        Path | None, typer.Option(help="Estimate each structure's DSC by this file of ivos fit-quality.")
    ] = None,
    quality_features: Annotated[
        bool, typer.Option("--quality-features", help="Also write what ivos fit-quality learns such estimates from.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Folder for a report of each scan (HTML, PNG, GIF).")] = None,
    profile: Annotated[bool, typer.Option("--profile", help="Also write time, memory and load of each scan.")] = False,
    workers: WorkersOption = None,
    cluster: ClusterOption = None,
    upload_to: UploadOption = None,
    overwrite: OverwriteOption = False,
    form: FormatOption = None,
    pseudonymise: PseudonymiseOption = None,
    modality: Annotated[Modality, typer.Option(help="Intensity windows.")] = "auto",
    device: Annotated[DeviceChoice, typer.Option(help="Where networks run.")] = "auto",
    series: SeriesOption = None,
    stack: StackOption = None,
    series_modality: SeriesModalityOption = None,
    series_thickness: SeriesThicknessOption = None,
    series_kernel: SeriesKernelOption = None,
    series_slices: SeriesSlicesOption = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Segment scans without any drawing: reference networks find structures, propagation makes them whole.

    Beside the labels of CASE go probabilities/CASE/, uncertainty/CASE.nii.gz and evidence/CASE.json where asked for.
    Of many scans OUT gets cohort.html, a page, and cohort.sqlite, by which the same command goes on where it stopped.
    """
    from ivos.metrics.efficiency import Sampler
    from ivos.pipelines.outputs import LabelFiles
    from ivos.pipelines.segment import SegmentJob

    how = SegmentationSettings(
        reference=tuple(path.absolute() for path in reference),
        ensemble=ensemble,
        tta_mirror=tta_mirror,
        propagation=propagation if propagation in ("bundled", "none") else Path(propagation).absolute(),  # type: ignore[arg-type]
        stride=stride,
        max_slices=max_slices,
        reference_selection=reference_selection,
        max_references=max_references,
        fusion=fusion,
        fuse_with_reference=fuse_with_reference,
        largest_component=_structures(largest_component),
        fill_holes=_structures(fill_holes),
        modality=modality,
        device=device,
    )
    job = SegmentJob(
        how,
        probabilities=_structures(probabilities),
        uncertainty=uncertainty,
        evidence=quality_features,
        trust=None if quality_model is None else quality_model.absolute(),
        labels=LabelFiles(form, pseudonyms_of(pseudonymise)),
        reports=None if report is None else report.absolute(),
    )
    where, chosen = Where(workers, cluster, upload_to), (series, stack)
    if report is not None:
        check_writable(report, "--report")
    with Sampler() if profile else nullcontext() as sampler:  # before the networks: they take of the GPU's memory
        if is_cohort(scan, output):
            rules = series_rules(series, series_modality, series_thickness, series_kernel, series_slices)
            _many(job, scan, output, where, rules, overwrite=overwrite, chosen=chosen, sampler=sampler, as_json=as_json)
        else:
            check_one(where, overwrite=overwrite)
            _one(job, scan, output, chosen=chosen, sampler=sampler, as_json=as_json)


def _one(
    job: SegmentJob,
    scan: str,
    output: Path,
    *,
    chosen: tuple[str | None, int | None],
    sampler: Sampler | None,
    as_json: bool,
) -> None:
    """A scan by itself: no manifest, no page."""
    from ivos.io.remote import is_address
    from ivos.pipelines.protocol import Case
    from ivos.report.efficiency import write_efficiency

    job.labels.check_file(output, scan)
    if not is_address(scan) and Path(scan).exists() and output.exists() and output.samefile(scan):
        raise InputError(f"{output}: is an input of this command; give the output another name")
    case = Case(stem_of(output), {"scan": scan}, *chosen)
    worker = job.open()
    with sampler.interval() if sampler else nullcontext() as interval:
        started = time.perf_counter()
        volume = worker.read(case)
        read_s = time.perf_counter() - started
        with progress_bar(case.name, shown=not as_json) as progress:
            result = worker.work(case, volume, progress)
        seconds = {"read": read_s, "segment": result.seconds}
        done = worker.write_to(output, case, result)
    if interval:
        write_efficiency(output.parent, {case.name: interval.efficiency()})
    if job.reports is not None:
        worker.report(result, job.reports, case.name)
    told = {"case": case.name, "output": str(output), "seconds": seconds, **done.figures}
    if as_json:
        print_json([told])
    else:
        print_line(_line(told))
        tell_windows(told)


def _many(
    job: SegmentJob,
    source: str,
    output: Path,
    where: Where,
    rules: SeriesRules,
    *,
    overwrite: bool,
    chosen: tuple[str | None, int | None],
    sampler: Sampler | None,
    as_json: bool,
) -> None:
    """A cohort, with a manifest and a page."""
    from ivos.cohort.page import PAGE
    from ivos.cohort.sources import cases_from

    check_folder(output, source)
    if sampler and not where.here:
        raise InputError("--profile is for one scan after the other: leave --workers and --cluster out")
    found = with_series(cases_from(source, rules=rules), *chosen)
    job.labels.check(found.cases, where.folder(output))
    if not as_json:
        tell_left_out(found)
    with Measured(sampler, output) if sampler else nullcontext() as measured:
        rows = over_cohort(job, found.cases, output, where, overwrite=overwrite, watch=measured)
    done = json_rows(rows, found.cases, output)
    if as_json:
        print_json(done)
    else:
        print_line(f"{len(done)} of {counted(len(rows), 'scan')} segmented: {output / PAGE}")
    tell_failures(rows)


def _structures(text: str | None) -> tuple[int, ...] | Literal["all"]:
    return () if text is None else "all" if text == "all" else tuple(numbers(text))


def _line(told: Mapping[str, Any]) -> str:
    count, references = len(told["structures"]), len(told["reference_slices"])
    begun = f" from {counted(references, 'reference slice')}" if references else ""
    found = counted(count, "structure") if count else "nothing found"
    estimated = [(row["estimated_dsc"], row["name"]) for row in told["structures"] if "estimated_dsc" in row]
    if estimated:
        worst, name = min(estimated, key=lambda pair: pair[0]["dsc"])
        found += f" (worst by estimate: {name}, DSC {worst['dsc']:.2f}, {worst['low']:.2f} to {worst['high']:.2f})"
    return f"{told['case']}: {found}{begun} in {sum(told['seconds'].values()):.1f} s: {told['output']}"
