"""`ivos segment`: automatic segmentation with reference networks and propagation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ivos.cli import options
from ivos.cli.execution import Execution
from ivos.cli.output import print_line, print_windows
from ivos.cli.runs import ScanSource, run
from ivos.errors import counted
from ivos.segmentation.settings import Combination, FusionName, ReferenceSelection, SegmentationSettings

if TYPE_CHECKING:
    from collections.abc import Mapping


def segment(
    scan: Annotated[str, typer.Argument(help=f"{options.SCANS_HELP} case, scan. URLs (s3://...) work, too.")],
    output: Annotated[Path, options.output_option("--output", "-o", help="Label file. For many scans, a folder.")],
    reference: Annotated[
        list[Path], options.model_option(help="Weights of a reference network; repeat for an ensemble.")
    ],
    modality: options.ModalityOption = "auto",
    ensemble: Annotated[Combination, options.model_option(help="How to combine several reference networks.")] = "mean",
    tta_mirror: Annotated[
        bool, options.model_option("--tta-mirror", help="Test-time augmentation: also segment mirrored slices.")
    ] = False,
    propagation: Annotated[
        str, options.model_option(help="'bundled', weights (fast, stcn), or 'none': segment every slice by itself.")
    ] = "bundled",
    stride: Annotated[int, options.model_option(min=1, help="Sample every n-th slice for reference slices.")] = 3,
    max_slices: Annotated[int | None, options.model_option(min=1, help="Maximum number of sampled slices.")] = None,
    reference_selection: Annotated[
        ReferenceSelection, options.model_option(help="Which sampled slices become reference slices.")
    ] = "largest-area",
    max_references: Annotated[
        int,
        options.model_option(min=1, help="Maximum number of reference slices (not for non-empty and largest-area)."),
    ] = 8,
    fusion: Annotated[
        FusionName | None,
        options.model_option(
            help="How to fuse the two passes. Default: the network's own method; distance-confidence for stcn."
        ),
    ] = None,
    fuse_with_reference: Annotated[
        bool,
        options.model_option(
            "--fuse-with-reference",
            help="Segment every slice with the reference networks, too, and fuse their result with the propagated one.",
        ),
    ] = False,
    device: options.DeviceOption = "auto",
    largest_component: Annotated[
        str | None,
        options.output_option(help="Keep the largest component of these label ids, such as 1,4,7-9, or 'all'."),
    ] = None,
    fill_holes: Annotated[
        str | None, options.output_option(help="Fill the holes of these label ids, or 'all'.")
    ] = None,
    probabilities: Annotated[
        str | None, options.output_option(help="Also write the probabilities of these label ids, or 'all'.")
    ] = None,
    uncertainty: Annotated[
        bool, options.output_option("--uncertainty", help="Also write the uncertainty of each voxel, 0 to 255.")
    ] = False,
    quality_model: Annotated[
        Path | None,
        options.output_option(help="Estimate the DSC of each structure with this file from ivos fit-quality."),
    ] = None,
    quality_features: Annotated[
        bool,
        options.output_option("--quality-features", help="Also write the features that ivos fit-quality learns from."),
    ] = False,
    report: options.ReportOption = None,
    profile: Annotated[
        bool, options.output_option("--profile", help="Also write time, memory and CPU load of each scan.")
    ] = False,
    form: options.FormatOption = None,
    as_json: options.JsonOption = False,
    workers: options.WorkersOption = None,
    cluster: options.ClusterOption = None,
    upload_to: options.UploadOption = None,
    overwrite: options.OverwriteOption = False,
    series: options.SeriesOption = None,
    stack: options.StackOption = None,
    series_modality: options.SeriesModalityOption = None,
    series_thickness: options.SeriesThicknessOption = None,
    series_kernel: options.SeriesKernelOption = None,
    series_slices: options.SeriesSlicesOption = 10,
    pseudonymise: options.PseudonymiseOption = None,
) -> None:
    """Segment scans automatically: reference networks segment some slices, propagation completes the volume.

    Next to the labels of CASE, options add probabilities/CASE/, uncertainty/CASE.nii.gz and evidence/CASE.json. For
    many scans, OUTPUT also gets a report (cohort.html) and a manifest (cohort.sqlite), with which the same command
    resumes an interrupted run.
    """
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
        largest_component=_parse_all(largest_component),
        fill_holes=_parse_all(fill_holes),
        modality=modality,
        device=device,
    )
    job = SegmentJob(
        how,
        probabilities=_parse_all(probabilities),
        uncertainty=uncertainty,
        evidence=quality_features,
        trust=None if quality_model is None else quality_model.absolute(),
        labels=LabelFiles(form, options.load_pseudonyms(pseudonymise)),
        reports=None if report is None else report.absolute(),
    )
    rules = options.series_rules(series, series_modality, series_thickness, series_kernel, series_slices)
    source, execution = ScanSource(scan, series, stack, rules), Execution(workers, cluster, upload_to, overwrite)
    run(job, source, output, execution, describe=_describe, as_json=as_json, profile=profile)


def _parse_all(text: str | None) -> tuple[int, ...] | Literal["all"]:
    """Label ids, or all of them; none without a text."""
    return "all" if text == "all" else options.parse_structures(text) or ()


def _describe(facts: Mapping[str, Any], _: object) -> None:
    structures, references = facts["structures"], facts["reference_slices"]
    found = counted(len(structures), "structure") if structures else "no structures found"
    source = f" from {counted(len(references), 'reference slice')}" if references else ""
    estimated = [(row["estimated_dsc"], row["name"]) for row in structures if "estimated_dsc" in row]
    if estimated:
        worst, name = min(estimated, key=lambda pair: pair[0]["dsc"])
        interval = f"{worst['low']:.2f} to {worst['high']:.2f}"
        found += f" (lowest estimated DSC: {name}, {worst['dsc']:.2f}, {interval})"
    print_line(f"{facts['case']}: {found}{source} in {sum(facts['seconds'].values()):.1f} s: {facts['output']}")
    if facts["report"] is not None:
        print_line(f"Report: {facts['report']}")
    print_windows(facts)
