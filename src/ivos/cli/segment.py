"""`ivos segment`: scans in, labels out, nothing drawn."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ivos.cli.cases import each_case
from ivos.cli.propagate import DeviceChoice, ModalityChoice
from ivos.cli.terminal import numbers, print_json, print_line, progress_bar
from ivos.errors import InputError
from ivos.files import stem_of, suffix_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivos.metrics.efficiency import Efficiency
    from ivos.propagation.propagate import Propagation
    from ivos.segmentation.segment import Segmentation
    from ivos.segmentation.segmenter import Segmenter
    from ivos.uncertainty.estimate import Estimate, Estimator
    from ivos.volume.volume import Volume


class CombinationChoice(str, Enum):
    """What several reference networks say together."""

    mean = "mean"
    max = "max"
    first = "first"
    second = "second"


class ReferenceChoice(str, Enum):
    """Which of the slices looked at become reference slices."""

    non_empty = "non-empty"
    largest_area = "largest-area"
    most_structures = "most-structures"
    least_uncertain = "least-uncertain"
    spread = "spread"
    random = "random"


class FusionChoice(str, Enum):
    """How the two passes become one answer."""

    distance_confidence = "distance-confidence"
    sum = "sum"
    smallest_structure_first = "smallest-structure-first"


def segment(
    scan: Annotated[
        Path, typer.Argument(help="NIfTI, NRRD or MetaImage file, DICOM folder or zip; a folder of files.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Label file; for a folder of scans a folder.")],
    reference: Annotated[
        list[Path], typer.Option(help="Weights of a reference network; repeat for several that answer together.")
    ],
    combine: Annotated[
        CombinationChoice, typer.Option(help="What several reference networks say together.")
    ] = CombinationChoice.mean,
    mirror: Annotated[bool, typer.Option("--mirror", help="Also see slices mirrored sideways.")] = False,
    propagation: Annotated[
        str, typer.Option(help="'bundled', weights (fast, stcn), or 'none': every slice by itself.")
    ] = "bundled",
    every: Annotated[int, typer.Option(min=1, help="Look for references on one slice in so many.")] = 3,
    at_most: Annotated[int | None, typer.Option(min=1, help="On so many slices at most.")] = None,
    choose: Annotated[
        ReferenceChoice, typer.Option(help="Which of those become reference slices.")
    ] = ReferenceChoice.largest_area,
    references: Annotated[int, typer.Option(min=1, help="So many at most; not for non-empty and largest-area.")] = 8,
    fusion: Annotated[
        FusionChoice | None,
        typer.Option(help="Of the two passes; default: the network's own, with stcn distance-confidence."),
    ] = None,
    agreement: Annotated[
        bool,
        typer.Option("--agreement", help="Reference networks see every slice, and count as much as propagation there."),
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
    trust: Annotated[
        Path | None, typer.Option(help="Estimate each structure's DSC by this file of ivos calibrate.")
    ] = None,
    with_evidence: Annotated[
        bool, typer.Option("--evidence", help="Also write what ivos calibrate learns such estimates from.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Folder for a report of each scan (HTML, PNG, GIF).")] = None,
    measure: Annotated[bool, typer.Option("--measure", help="Also write time, memory and load of each scan.")] = False,
    goes_on: Annotated[bool, typer.Option("--continue", help="Leave out scans whose labels are there.")] = False,
    modality: Annotated[ModalityChoice, typer.Option(help="Intensity windows.")] = ModalityChoice.auto,
    device: Annotated[DeviceChoice, typer.Option(help="Where networks run.")] = DeviceChoice.auto,
    series: Annotated[str | None, typer.Option(help="DICOM: last characters of the series to take.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Segment scans without any drawing: reference networks find structures, propagation makes them whole.

    Beside the labels of CASE go probabilities/CASE/, uncertainty/CASE.nii.gz and evidence/CASE.json where asked for.
    """
    from ivos.metrics.efficiency import Sampler
    from ivos.report.efficiency import write_efficiency
    from ivos.segmentation.segmenter import SegmentationSettings, Segmenter
    from ivos.uncertainty.case_file import write_evidence
    from ivos.volume.read import read

    settings = SegmentationSettings(
        reference=tuple(reference),
        combination=combine.value,
        mirrored=mirror,
        propagation=propagation if propagation in ("bundled", "none") else Path(propagation),  # type: ignore[arg-type]
        every=every,
        at_most=at_most,
        choice=choose.value,
        references=references,
        fusion=None if fusion is None else fusion.value,
        agreement=agreement,
        largest_component=_structures(largest_component),
        filled=_structures(fill_holes),
        modality=modality.value,
        device=device.value,
    )
    many, scans = _scans(scan, output)
    labels = {case: output / f"{case}.nii.gz" if many else output for case in scans}
    if goes_on:
        scans = {case: path for case, path in scans.items() if not labels[case].exists()}
    costs: dict[str, Efficiency] = {}
    told: list[dict[str, Any]] = []
    with Sampler() if measure else nullcontext() as sampler:  # before the networks: they take of the GPU's memory
        segmenter = Segmenter(settings)
        kept = segmenter.structures(_structures(probabilities))
        estimator = None if trust is None else _estimator(trust, segmenter)

        def work(case: str) -> None:
            started = time.perf_counter()
            with sampler.interval() if sampler else nullcontext() as interval:
                volume = read(scans[case], series=series)
                read_s = time.perf_counter() - started
                with progress_bar(case, shown=not as_json) as progress:
                    result = segmenter(volume, probabilities=kept, progress=progress)
                seconds = {"read": read_s, "segment": time.perf_counter() - started - read_s}
                if with_evidence:
                    write_evidence(labels[case].parent, case, segmenter.made_by, result.figures)
                _write(result, case, labels[case], uncertainty=uncertainty)
            estimates = {k: estimator.estimate(k, f) for k, f in result.figures.items()} if estimator else {}
            if interval:
                costs[case] = interval.efficiency()
            if report is not None:
                _report(report / case if many else report, volume, result, case, propagation, seconds, estimates)
            told.append(_told(result, case, labels[case], seconds, estimates))
            if not as_json:
                _tell(told[-1])

        try:
            if many:
                each_case(scans, work)
            else:
                for case in scans:
                    work(case)
        finally:
            if costs:
                write_efficiency(output if many else output.parent, costs)
            if as_json:
                print_json(told)


def _scans(scan: Path, output: Path) -> tuple[bool, dict[str, Path]]:
    """Whether it is a folder of scans, and the scans by case.

    Raises:
        InputError: the labels would take the place of a scan, or cannot be written.
    """
    from ivos.volume.cases import holds_files, scans_by_case
    from ivos.volume.write import WRITABLE, check_writable

    if holds_files(scan):
        if output.is_file() or suffix_of(output) in WRITABLE or (output.exists() and output.samefile(scan)):
            raise InputError(f"{output}: give another folder for the labels")
        return True, scans_by_case(scan)
    check_writable(output)
    if scan.exists() and output.exists() and output.samefile(scan):
        raise InputError(f"{output}: is an input of this command; give the output another name")
    return False, {stem_of(output): scan}


def _estimator(trust: Path, segmenter: Segmenter) -> Estimator:
    from ivos.uncertainty.estimate import load_estimator

    estimator = load_estimator(trust)
    if estimator.fitted_for != segmenter.made_by:
        raise InputError(f"{trust}: learned from segmentations with other weights or settings; calibrate anew")
    return estimator


def _structures(text: str | None) -> tuple[int, ...] | Literal["all"]:
    return () if text is None else "all" if text == "all" else tuple(numbers(text))


def _write(result: Segmentation, case: str, labels: Path, *, uncertainty: bool) -> None:
    """All files of a case; the labels last, so that where they are everything is."""
    from ivos.volume.probabilities import write_probabilities
    from ivos.volume.write import write_volume

    if result.probabilities:
        names = result.labels.names
        of_structures = ((label, names.get(label, ""), array) for label, array in result.probabilities.items())
        write_probabilities(labels.parent, case, result.labels, of_structures)
    if uncertainty:
        doubt = result.confidence.with_array(255 - result.confidence.array)
        write_volume(labels.parent / "uncertainty" / f"{case}.nii.gz", doubt)
    write_volume(labels, result.labels)


def _report(
    folder: Path,
    scan: Volume,
    result: Segmentation,
    case: str,
    propagation: str,
    seconds: dict[str, float],
    estimates: Mapping[int, Estimate],
) -> None:
    from ivos.report import write_report

    engine = f"reference network, propagation: {propagation}"
    write_report(
        folder,
        scan,
        _propagation(result),
        title=case,
        engine=engine,
        seconds=seconds,
        mark="reference",
        estimates=estimates,
    )


def _propagation(result: Segmentation) -> Propagation:
    from ivos.propagation.propagate import Propagation

    return Propagation(result.labels, result.confidence, 0, result.references)


def _told(
    result: Segmentation, case: str, labels: Path, seconds: dict[str, float], estimates: Mapping[int, Estimate]
) -> dict[str, Any]:
    from ivos.report import structure_rows

    rows = structure_rows(_propagation(result))
    for row in rows:
        if row["label"] in estimates:
            row["estimated_dsc"] = asdict(estimates[row["label"]])

    return {
        "case": case,
        "output": str(labels),
        "reference_slices": sorted(result.labels.source_index(0, n) for n in result.references),
        "seconds": seconds,
        "structures": rows,
    }


def _tell(told: dict[str, Any]) -> None:
    count, references = len(told["structures"]), len(told["reference_slices"])
    begun = f" from {references} reference slice{'s' * (references != 1)}" if references else ""
    found = f"{count} structure{'s' * (count != 1)}" if count else "nothing found"
    estimated = [(row["estimated_dsc"], row["name"]) for row in told["structures"] if "estimated_dsc" in row]
    if estimated:
        worst, name = min(estimated, key=lambda pair: pair[0]["dsc"])
        found += f" (worst by estimate: {name}, DSC {worst['dsc']:.2f}, {worst['low']:.2f} to {worst['high']:.2f})"
    print_line(f"{told['case']}: {found}{begun} in {sum(told['seconds'].values()):.1f} s: {told['output']}")
