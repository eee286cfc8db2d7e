"""`ivos propagate`: from a few annotated slices to the whole volume."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ivos.cli import options
from ivos.cli.execution import Execution
from ivos.cli.output import print_line, print_windows
from ivos.cli.runs import ScanSource, run
from ivos.errors import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivos.pipelines.propagate import Propagated


def propagate(
    scan: Annotated[
        str, typer.Argument(help=f"{options.SCANS_HELP} case, scan, annotations. URLs (s3://...) work, too.")
    ],
    output: Annotated[
        Path,
        options.output_option(
            "--output", "-o", help="Label file: .nii.gz, .nrrd, .mha, .dcm. For many scans, a folder."
        ),
    ],
    annotations: Annotated[
        Path | None,
        options.input_option(
            help="Label volume on the scan's grid in which some slices are annotated. For a folder of scans, a folder "
            "of files with the same names; a list names them."
        ),
    ] = None,
    axis: options.AxisOption = None,
    structures: Annotated[
        str | None, options.input_option(help="Propagate only these label ids, such as 1,4,7-9.")
    ] = None,
    fully_annotated: options.FullyAnnotatedOption = None,
    ignore_label: options.IgnoreLabelOption = None,
    modality: options.ModalityOption = "auto",
    engine: options.EngineOption = "fast",
    checkpoint: Annotated[Path | None, options.model_option(help="Weights for the engine (stcn, xmem, fast).")] = None,
    refinement: Annotated[
        Path | None,
        options.model_option(help="Weights of a refinement network that corrects each structure in 3-D afterwards."),
    ] = None,
    device: options.DeviceOption = "auto",
    bfloat16: Annotated[bool, options.model_option("--bfloat16", help="stcn, xmem: faster, less exact.")] = False,
    long_term: Annotated[
        bool,
        options.model_option("--long-term", help="stcn: use a long-term memory, for long scans (xmem always does)."),
    ] = False,
    memory_budget: Annotated[str, options.model_option(help="Size limit of the engine's memory of slices.")] = "2GB",
    report: options.ReportOption = None,
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
    """Propagate a few annotated slices through the whole scan.

    For many scans, OUTPUT also gets a report (cohort.html) and a manifest (cohort.sqlite), with which the same command
    resumes an interrupted run.
    """
    from ivos.pipelines.outputs import LabelFiles
    from ivos.pipelines.propagate import PropagateJob

    job = PropagateJob(
        engine,
        checkpoint=None if checkpoint is None else checkpoint.absolute(),
        refinement=None if refinement is None else refinement.absolute(),
        device=device,
        memory_budget_bytes=options.parse_size(memory_budget),
        bfloat16=bfloat16,
        long_term=long_term,
        axis=axis,
        structures=options.parse_structures(structures),
        complete=options.parse_fully_annotated(fully_annotated),
        modality=modality,
        ignore=ignore_label,
        labels=LabelFiles(form, options.load_pseudonyms(pseudonymise)),
        reports=None if report is None else report.absolute(),
    )
    rules = options.series_rules(series, series_modality, series_thickness, series_kernel, series_slices)
    source = ScanSource(scan, series, stack, rules, annotations, has_annotations=True)

    def describe(facts: Mapping[str, Any], propagated: Propagated) -> None:
        if job.complete is False:
            _hint_at_filled(propagated)
        slices = counted(len(facts["annotated_slices"]), f"annotated {facts['axis']} slice")
        seconds = sum(facts["seconds"].values())
        print_line(
            f"{counted(len(facts['structures']), 'structure')} from {slices} in {seconds:.1f} s: {facts['output']}"
        )
        if facts["report"] is not None:
            print_line(f"Report: {facts['report']}")
        print_windows(facts)

    run(job, source, output, Execution(workers, cluster, upload_to, overwrite), describe=describe, as_json=as_json)


def _hint_at_filled(propagated: Propagated) -> None:
    """Name the structures that were not annotated on an annotated slice, and were filled in there."""
    import numpy as np

    result, annotated = propagated.result, propagated.drawn
    found, by_hand = (np.moveaxis(v.array, result.axis, 0)[list(result.sources)] for v in (result.labels, annotated))
    added = np.unique(found[(found != by_hand) & (found > 0)])
    if added.size:
        names = ", ".join(annotated.names.get(int(label), str(label)) for label in added[:4])
        print_line(
            f"These structures were missing on some annotated slices and were filled in there: {names}"
            f"{', ...' * (added.size > 4)}. If they are absent there, add --fully-annotated all."
        )
