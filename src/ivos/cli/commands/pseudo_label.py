"""`ivos pseudo-label`: predictions into labels that can be trusted, and a list of what to look at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivos.cli.cases import named
from ivos.cli.cohort_command import run_or_rebuild, tell_failures
from ivos.cli.cohort_options import ClusterOption, Where, WorkersOption
from ivos.cli.label_options import ByOption, FormatOption, IgnoreLabelOption, PseudonymiseOption
from ivos.cli.label_output import LabelOutput, label_output
from ivos.cli.predictions import cases_of, check_folders, check_probabilities
from ivos.cli.terminal import print_line
from ivos.errors import InputError, counted
from ivos.pseudo_labels.settings import Acceptance, ScoreRule
from ivos.segmentation.ensemble import ConsensusRule

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ivos.cohort.manifest import Row
    from ivos.pseudo_labels import PseudoLabelSettings
    from ivos.report.review import JudgedCase, ReviewManifest
    from ivos.volume.label_matching import By

_SHOWN = 5


def pseudo_label(
    predictions: Annotated[list[Path], typer.Argument(help="Folders with label files of the same names; two or more.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for trusted labels, manifest and page.")],
    consensus: Annotated[
        ConsensusRule, typer.Option(help="How predictions become one: as in ivos ensemble.")
    ] = "majority",
    rule: Annotated[
        ScoreRule,
        typer.Option(
            help="Trust of a scan: agreement on its worst structure; mean IoU (IVOS); little change since the previous"
            " round; 'all' takes everything. One prediction is enough for the last two."
        ),
    ] = "worst-structure",
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Least trust; default 0.85, for ivos and change 0.9.")
    ] = None,
    accept: Annotated[
        Acceptance | None,
        typer.Option(help="Take or leave scans, or structures; default: structures, for ivos and change scans."),
    ] = None,
    previous: Annotated[Path | None, typer.Option(help="Labels of the previous round, for --rule change.")] = None,
    scans: Annotated[
        Path | None,
        typer.Option(help="Folder of the scans, to lie below the pictures; for DICOM files of their series."),
    ] = None,
    ignore_label: IgnoreLabelOption = None,
    by: ByOption = "auto",
    form: FormatOption = None,
    pseudonymise: PseudonymiseOption = None,
    workers: WorkersOption = None,
    cluster: ClusterOption = None,
) -> None:
    """Keep what predictions agree on as labels to train on; the rest becomes the label "ignore", or is left out.

    That label is 255, or the id above all others where 255 is a structure.

    OUT gets CASE.nii.gz of accepted scans, manifest.json with every figure, and review.html, the worst first; by
    cohort.sqlite the same command goes on where it stopped.
    """
    from ivos.report.review import load_review, save_review

    settings = _settings(consensus, rule, threshold, accept)
    inputs = _inputs(predictions, output, settings, previous, scans, by, ignore_label)
    labels = label_output(output, inputs.cases, form=form, pseudonymise=pseudonymise, scans=inputs.scans)
    earlier = load_review(output)
    own = set(earlier.labels) if earlier else set()
    _check_foreign(labels, inputs, own)
    own |= set(inputs.cases)
    begun = earlier or _manifest(inputs, previous, [], own)
    # However this run ends, the next one knows which labels are the command's own.
    save_review(begun.model_copy(update={"labels": tuple(sorted(own))}), output)
    rows = _judged(inputs, labels, Where(workers, cluster))
    _end(rows, inputs, previous, labels, own)
    tell_failures(rows)


@dataclass(frozen=True)
class _Inputs:
    """What is judged.

    Attributes:
        settings: how.
        predictions: the folders.
        cases: label files of each case, one of each prediction.
        previous: label files of the previous round by case.
        scans: scans by case.
        by: what tells which labels are the same structure.
        ignore: the label that a person says is "ignore".
    """

    settings: PseudoLabelSettings
    predictions: Sequence[Path]
    cases: Mapping[str, list[Path]]
    previous: Mapping[str, Path]
    scans: Mapping[str, Path]
    by: By
    ignore: int | None


def _settings(
    consensus: ConsensusRule, rule: ScoreRule, threshold: float | None, accept: Acceptance | None
) -> PseudoLabelSettings:
    from ivos.pseudo_labels import PseudoLabelSettings

    if rule == "all" and (threshold is not None or accept is not None):
        raise InputError("--rule all takes everything: leave --threshold and --accept out")
    return PseudoLabelSettings(
        consensus=consensus,
        rule=rule,
        threshold=threshold,
        accept=accept,
    )


def _inputs(
    predictions: Sequence[Path],
    output: Path,
    settings: PseudoLabelSettings,
    previous: Path | None,
    scans: Path | None,
    by: By,
    ignore: int | None,
) -> _Inputs:
    """All that can be refused before the first case is."""
    from ivos.io.cases import labels_by_case, scans_by_case

    settings.check_count(len(predictions))
    if (previous is None) != (settings.rule != "change"):
        raise InputError("--previous FOLDER and --rule change go together: give both or neither")
    check_folders(predictions, output, previous, scans)
    cases = cases_of(predictions)
    if settings.consensus == "mean-probability" and len(predictions) > 1:
        check_probabilities(predictions)
    earlier = {} if previous is None else labels_by_case(previous)
    if previous is not None and not set(earlier) & set(cases):
        raise InputError(f"{previous}: no labels of any of the {counted(len(cases), 'case')}: {named(cases)}")
    found = {} if scans is None else scans_by_case(scans)
    missing = [case for case in cases if case not in found]
    if scans is not None and missing:
        raise InputError(f"{scans}: no scans of {len(missing)} of {counted(len(cases), 'case')}: {named(missing)}")
    return _Inputs(settings, predictions, cases, earlier, found, by, ignore)


def _check_foreign(labels: LabelOutput, inputs: _Inputs, own: Collection[str]) -> None:
    """Refuse to write over labels that this command has not written, or beside those that it has in another format."""
    from ivos.io.labels import LabelFormat, label_path

    for case in inputs.cases:
        if case not in own and labels.path(case).exists():
            raise InputError(f"{labels.path(case)}: is there and not of this command; give another folder")
        others = [label_path(labels.folder, case, form) for form in LabelFormat if form is not labels.form]
        for path in others:
            if path.exists():
                raise InputError(f"{path}: is there, and a case has labels of one format; give another folder")


def _manifest(
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


def _judged(inputs: _Inputs, labels: LabelOutput, where: Where) -> list[Row]:
    """Judge all cases and write the labels of those that are accepted."""
    from ivos.pipelines.outputs import LabelFiles
    from ivos.pipelines.pseudo_label import PseudoLabelJob

    files = LabelFiles(labels.form, labels.pseudonyms)
    job = PseudoLabelJob(inputs.settings, tuple(map(str, inputs.predictions)), files, inputs.by, inputs.ignore)
    cases = [
        job.case(name, paths, inputs.previous.get(name), inputs.scans.get(name)) for name, paths in inputs.cases.items()
    ]
    return run_or_rebuild(job, cases, labels.folder, where)


def _end(
    rows: Sequence[Row], inputs: _Inputs, previous: Path | None, labels: LabelOutput, own: Collection[str]
) -> None:
    """Remove labels of cases that are not accepted, and write manifest and page, if any case could be judged."""
    from ivos.report.review import PAGE, save_review, write_review_page
    from ivos.report.review_cases import judged_case, worst_pictures

    told = [row.figures for row in rows if row.state == "done"]
    if not told:
        return
    cases = [judged_case(figures) for figures in told]
    accepted = {case.case for case in cases if case.accepted}
    for case in set(own) - accepted:
        labels.path(case).unlink(missing_ok=True)
    manifest = _manifest(inputs, previous, cases, accepted)
    save_review(manifest, labels.folder)
    write_review_page(manifest, worst_pictures(told), labels.folder, title=labels.folder.resolve().name)
    _tell(manifest, labels.folder / PAGE)


def _tell(manifest: ReviewManifest, page: Path) -> None:
    accepted = sum(case.accepted for case in manifest.cases)
    print_line(f"{accepted} of {counted(len(manifest.cases), 'scan')} accepted: {page}")
    left = [case for case in manifest.cases if not case.accepted]
    for case in left[:_SHOWN]:
        print_line(f"left out: {case.case}: {case.reason}")
    if len(left) > _SHOWN:
        print_line(f"and {len(left) - _SHOWN} more")
    lost = [case for case in manifest.cases if case.accepted and case.vanished]
    for case in lost[:_SHOWN]:
        print_line(f"accepted, but look at it: {case.case}: {case.reason}")
    if len(lost) > _SHOWN:
        print_line(f"and {len(lost) - _SHOWN} more")
