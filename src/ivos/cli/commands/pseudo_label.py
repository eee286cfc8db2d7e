"""`ivos pseudo-label`: reliable labels from predictions, and a review list."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivos.cli import options
from ivos.cli.execution import Execution, report_failures, run_or_rebuild
from ivos.cli.output import name_some, print_line
from ivos.cli.predictions import check_folders, check_probabilities, choose_label_files, find_scans, match_cases
from ivos.errors import InputError, counted
from ivos.io.labels import LabelFormat, label_path
from ivos.pipelines.protocol import Case
from ivos.pseudo_labels.settings import Acceptance, PseudoLabelSettings, ScoreRule
from ivos.segmentation.ensemble import ConsensusRule

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ivos.cohort.manifest import Row
    from ivos.pipelines.outputs import LabelFiles
    from ivos.report.review import JudgedCase, ReviewManifest

_SHOWN = 5


def pseudo_label(
    predictions: Annotated[list[Path], typer.Argument(help="Two or more folders of label files with the same names.")],
    output: Annotated[
        Path, options.output_option("--output", "-o", help="Folder for the labels, the manifest and the report.")
    ],
    previous: Annotated[
        Path | None, options.input_option(help="Labels of the previous round, for --rule change.")
    ] = None,
    scans: Annotated[
        Path | None,
        options.input_option(help="Folder of the scans, for the pictures of the report; required for DICOM labels."),
    ] = None,
    ignore_label: options.IgnoreLabelOption = None,
    by: options.ByOption = "auto",
    consensus: Annotated[
        ConsensusRule, options.model_option(help="How to combine the predictions, as in ivos ensemble.")
    ] = "majority",
    rule: Annotated[
        ScoreRule,
        options.model_option(
            help="Score of a scan: agreement on its worst structure; mean IoU ('ivos'); similarity to the previous "
            "round ('change'); or 'all' to accept everything. The last two also work with one prediction."
        ),
    ] = "worst-structure",
    threshold: Annotated[
        float | None,
        options.model_option(min=0, max=1, help="Lowest accepted score. Default: 0.85; 0.9 for ivos and change."),
    ] = None,
    accept: Annotated[
        Acceptance | None,
        options.model_option(
            help="Accept whole scans or single structures. Default: structures; scans for ivos and change."
        ),
    ] = None,
    form: options.FormatOption = None,
    workers: options.WorkersOption = None,
    cluster: options.ClusterOption = None,
    pseudonymise: options.PseudonymiseOption = None,
) -> None:
    """Create pseudo-labels from the agreement of several predictions.

    Structures on which the predictions disagree get the label "ignore" (255, or the first free id above all others if
    255 is a structure), or the scan is left out. OUTPUT gets CASE.nii.gz of accepted scans, manifest.json with all
    scores, and review.html, worst first. Run the same command again to resume (cohort.sqlite).
    """
    from ivos.pipelines.pseudo_label import PseudoLabelJob
    from ivos.report.review import load_review, save_review

    if rule == "all" and (threshold is not None or accept is not None):
        raise InputError("--rule all takes everything: leave --threshold and --accept out")
    settings = PseudoLabelSettings(consensus=consensus, rule=rule, threshold=threshold, accept=accept)
    inputs = _find_inputs(predictions, output, settings, previous, scans)
    files = choose_label_files(form, pseudonymise, inputs.cases, inputs.scans)
    earlier = load_review(output)
    own = set(earlier.labels) if earlier else set()
    _refuse_foreign_labels(output, files, inputs, own)
    own |= set(inputs.cases)
    started = earlier or _make_manifest(inputs, previous, [], own)
    # However this run ends, the next one knows which labels are the command's own.
    save_review(started.model_copy(update={"labels": tuple(sorted(own))}), output)
    job = PseudoLabelJob(settings, tuple(map(str, predictions)), files, by, ignore_label)
    cases = [
        job.case(name, paths, inputs.previous.get(name), inputs.scans.get(name)) for name, paths in inputs.cases.items()
    ]
    rows = run_or_rebuild(job, cases, output, Execution(workers, cluster))
    _finish(rows, inputs, previous, output, files, own)
    report_failures(rows)


@dataclass(frozen=True)
class _Inputs:
    """The predictions and what goes with them.

    Attributes:
        settings: how pseudo-labels are made.
        predictions: folders of label files.
        cases: label files of each case, one of each prediction.
        previous: label files of the previous round by case.
        scans: scans by case.
    """

    settings: PseudoLabelSettings
    predictions: Sequence[Path]
    cases: Mapping[str, list[Path]]
    previous: Mapping[str, Path]
    scans: Mapping[str, Path]


def _find_inputs(
    predictions: Sequence[Path], output: Path, settings: PseudoLabelSettings, previous: Path | None, scans: Path | None
) -> _Inputs:
    """Find the inputs; refuse what can be refused before the first case."""
    from ivos.io.cases import labels_by_case

    settings.check_count(len(predictions))
    if (previous is None) != (settings.rule != "change"):
        raise InputError("--previous FOLDER and --rule change go together: give both or neither")
    check_folders(predictions, output, previous, scans)
    cases = match_cases(predictions)
    if settings.consensus == "mean-probability" and len(predictions) > 1:
        check_probabilities(predictions)
    earlier = {} if previous is None else labels_by_case(previous)
    if previous is not None and not set(earlier) & set(cases):
        raise InputError(f"{previous}: no labels of any of the {counted(len(cases), 'case')}: {name_some(cases)}")
    return _Inputs(settings, predictions, cases, earlier, find_scans(scans, cases))


def _refuse_foreign_labels(output: Path, files: LabelFiles, inputs: _Inputs, own: Collection[str]) -> None:
    """Refuse to overwrite labels that this command has not written, or to write a second format next to its own."""
    for name in inputs.cases:
        path = files.path(output, Case(name, {}))
        if name not in own and path.exists():
            raise InputError(f"{path}: is there and not of this command; give another folder")
        for form in LabelFormat:
            other = label_path(output, name, form)
            if form is not files.form and other.exists():
                raise InputError(f"{other}: exists, and a case has labels in one format only; give another folder")


def _make_manifest(
    inputs: _Inputs, previous: Path | None, cases: Sequence[JudgedCase], labels: Collection[str]
) -> ReviewManifest:
    from ivos.report.review import ReviewManifest

    return ReviewManifest(
        settings=inputs.settings,
        least=inputs.settings.least,
        predictions=tuple(map(str, inputs.predictions)),
        previous=None if previous is None else str(previous),
        cases=tuple(sorted(cases, key=lambda case: case.rank)),
        labels=tuple(sorted(labels)),
    )


def _finish(
    rows: Sequence[Row], inputs: _Inputs, previous: Path | None, output: Path, files: LabelFiles, own: Collection[str]
) -> None:
    """Remove labels of cases that are not accepted, and write manifest and page, if any case could be judged."""
    from ivos.report.review import PAGE, save_review, write_review_page
    from ivos.report.review_cases import judged_case, worst_pictures

    figures = [row.figures for row in rows if row.state == "done"]
    if not figures:
        return
    cases = [judged_case(of_case) for of_case in figures]
    accepted = {case.case for case in cases if case.accepted}
    for name in set(own) - accepted:
        files.path(output, Case(name, {})).unlink(missing_ok=True)
    manifest = _make_manifest(inputs, previous, cases, accepted)
    save_review(manifest, output)
    write_review_page(manifest, worst_pictures(figures), output, title=output.resolve().name)
    print_line(f"{len(accepted)} of {counted(len(cases), 'scan')} accepted: {output / PAGE}")
    _print_some("left out", [case for case in manifest.cases if not case.accepted])
    _print_some("accepted, but review it", [case for case in manifest.cases if case.accepted and case.vanished])


def _print_some(what: str, cases: Sequence[JudgedCase]) -> None:
    for case in cases[:_SHOWN]:
        print_line(f"{what}: {case.case}: {case.reason}")
    if len(cases) > _SHOWN:
        print_line(f"and {len(cases) - _SHOWN} more")
