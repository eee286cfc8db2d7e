"""`ivos pseudo-label`: predictions into labels that can be trusted, and a list of what to look at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivos.cli.cases import each_case, named
from ivos.cli.ensemble import RuleChoice as ConsensusChoice
from ivos.cli.label_options import FormatOption, PseudonymiseOption  # noqa: TC001 - Typer reads them
from ivos.cli.label_output import LabelOutput, label_output
from ivos.cli.predictions import (
    cases_of,
    check_folders,
    check_probabilities,
    probabilities_of,
    read_prediction,
    read_predictions,
)
from ivos.cli.terminal import print_line, progress_bar
from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ivos.pseudo_labels import PseudoLabelSettings
    from ivos.report.review import JudgedCase, ReviewManifest
    from ivos.report.review_pictures import WorstPictures
    from ivos.volume.volume import Volume

_SHOWN = 5


class TrustChoice(str, Enum):
    """What a scan's trust is."""

    worst_structure = "worst-structure"
    ivos = "ivos"
    change = "change"
    all = "all"


class AcceptChoice(str, Enum):
    """What is taken or left."""

    per_scan = "per-scan"
    per_structure = "per-structure"


def pseudo_label(
    predictions: Annotated[list[Path], typer.Argument(help="Folders with label files of the same names; two or more.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for trusted labels, manifest and page.")],
    consensus: Annotated[
        ConsensusChoice, typer.Option(help="How predictions become one: as in ivos ensemble.")
    ] = ConsensusChoice.majority,
    rule: Annotated[
        TrustChoice,
        typer.Option(
            help="Trust of a scan: agreement on its worst structure; mean IoU (IVOS); little change since the previous"
            " round; 'all' takes everything. One prediction is enough for the last two."
        ),
    ] = TrustChoice.worst_structure,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Least trust; default 0.85, for ivos and change 0.9.")
    ] = None,
    accept: Annotated[
        AcceptChoice | None,
        typer.Option(help="Take or leave scans, or structures; default: structures, for ivos and change scans."),
    ] = None,
    previous: Annotated[Path | None, typer.Option(help="Labels of the previous round, for --rule change.")] = None,
    scans: Annotated[
        Path | None,
        typer.Option(help="Folder of the scans, to lie below the pictures; for DICOM files of their series."),
    ] = None,
    form: FormatOption = None,
    pseudonymise: PseudonymiseOption = None,
) -> None:
    """Keep what predictions agree on as labels to train on; the rest becomes label 255, ignore, or is left out.

    OUT gets CASE.nii.gz of accepted scans, manifest.json with every figure, and review.html, the worst first.
    """
    from ivos.report.review import PAGE, ReviewManifest, load_review, save_review, write_review_page
    from ivos.report.review_pictures import WorstPictures

    settings = _settings(consensus, rule, threshold, accept)
    inputs = _inputs(predictions, output, settings, previous, scans)
    labels = label_output(output, inputs.cases, form=form, pseudonymise=pseudonymise, scans=inputs.scans)
    earlier = load_review(output)
    own = set(earlier.labels) if earlier else set()
    _check_foreign(labels, inputs, own)

    def manifest(cases: Sequence[JudgedCase], accepted: set[str]) -> ReviewManifest:
        return ReviewManifest(
            settings=settings,
            least=settings.least,
            predictions=tuple(map(str, predictions)),
            previous=None if previous is None else str(previous),
            cases=tuple(sorted(cases, key=lambda case: case.rank)),
            labels=tuple(sorted(accepted)),
        )

    own |= set(inputs.cases)
    begun = earlier.model_copy(update={"labels": tuple(sorted(own))}) if earlier else manifest([], own)
    save_review(begun, output)  # however this run ends, the next one knows which labels are the command's own
    done: list[JudgedCase] = []
    pictures, failure = WorstPictures(), None
    with progress_bar("Judging") as progress:
        try:
            each_case(inputs.cases, lambda case: done.append(_judged(case, inputs, labels, pictures)), progress)
        except typer.Exit as error:
            failure = error
    if done:
        accepted = {case.case for case in done if case.accepted}
        for case in own - accepted:
            labels.path(case).unlink(missing_ok=True)
        ended = manifest(done, accepted)
        save_review(ended, output)
        write_review_page(ended, pictures.kept, output, title=output.resolve().name)
        _tell(ended, output / PAGE)
    if failure is not None:
        raise failure


@dataclass(frozen=True)
class _Inputs:
    """What is judged.

    Attributes:
        settings: how.
        predictions: the folders.
        cases: label files of each case, one of each prediction.
        previous: label files of the previous round by case.
        scans: scans by case.
    """

    settings: PseudoLabelSettings
    predictions: Sequence[Path]
    cases: Mapping[str, list[Path]]
    previous: Mapping[str, Path]
    scans: Mapping[str, Path]


def _settings(
    consensus: ConsensusChoice, rule: TrustChoice, threshold: float | None, accept: AcceptChoice | None
) -> PseudoLabelSettings:
    from ivos.pseudo_labels import PseudoLabelSettings

    if rule is TrustChoice.all and (threshold is not None or accept is not None):
        raise InputError("--rule all takes everything: leave --threshold and --accept out")
    return PseudoLabelSettings(
        consensus=consensus.value,
        rule=rule.value,
        threshold=threshold,
        accept=None if accept is None else accept.value,
    )


def _inputs(
    predictions: Sequence[Path], output: Path, settings: PseudoLabelSettings, previous: Path | None, scans: Path | None
) -> _Inputs:
    """All that can be refused before the first case is."""
    from ivos.volume.cases import labels_by_case, scans_by_case

    settings.check_count(len(predictions))
    if (previous is None) != (settings.rule != "change"):
        raise InputError("--previous FOLDER and --rule change go together: give both or neither")
    others = [folder for folder in (previous, scans) if folder is not None]
    check_folders(predictions, output)
    if output.resolve() in [folder.resolve() for folder in others]:
        raise InputError(f"{output}: is an input of this command; give the output another name")
    cases = cases_of(predictions)
    if settings.consensus == "mean-probability" and len(predictions) > 1:
        check_probabilities(predictions)
    earlier = {} if previous is None else labels_by_case(previous)
    if previous is not None and not set(earlier) & set(cases):
        raise InputError(f"{previous}: no labels of any of the {len(cases)} cases: {named(cases)}")
    found = {} if scans is None else scans_by_case(scans)
    missing = [case for case in cases if case not in found]
    if scans is not None and missing:
        raise InputError(f"{scans}: no scans of {len(missing)} of {len(cases)} cases: {named(missing)}")
    return _Inputs(settings, predictions, cases, earlier, found)


def _check_foreign(labels: LabelOutput, inputs: _Inputs, own: Collection[str]) -> None:
    """Refuse to write over labels that this command has not written, or beside those that it has in another format."""
    from ivos.volume.label_files import LabelFormat, label_path

    for case in inputs.cases:
        if case not in own and labels.path(case).exists():
            raise InputError(f"{labels.path(case)}: is there and not of this command; give another folder")
        others = [label_path(labels.folder, case, form) for form in LabelFormat if form is not labels.form]
        for path in others:
            if path.exists():
                raise InputError(f"{path}: is there, and a case has labels of one format; give another folder")


def _judged(case: str, inputs: _Inputs, output: LabelOutput, pictures: WorstPictures) -> JudgedCase:
    """Judge a case and write its labels if it is accepted."""
    from ivos.pseudo_labels import judge
    from ivos.report.review import JudgedCase
    from ivos.report.review_pictures import review_picture
    from ivos.volume.provenance import Provenance

    labels = read_predictions(inputs.cases[case], inputs.scans.get(case))
    previous = _previous(inputs.previous.get(case), labels[0])
    probabilities = None
    if inputs.settings.consensus == "mean-probability" and len(labels) > 1:
        probabilities = probabilities_of(inputs.predictions, case, labels[0])
    judged = judge(labels, inputs.settings, previous, probabilities=probabilities)
    found = JudgedCase.of(case, judged)
    others = {str(folder): volume for folder, volume in zip(inputs.predictions, labels, strict=True)}
    if previous is not None:
        others["previous round"] = previous
    pictures.add(
        case,
        found.rank,
        lambda: review_picture(_scan(inputs.scans.get(case), labels[0]), judged.consensus, others, found.doubtful),
    )
    if judged.labels is not None:
        told = {
            "consensus": inputs.settings.consensus,
            "rule": inputs.settings.rule,
            "trust": "-" if found.trust is None else f"{found.trust:.3f}",
        }
        output.write(case, judged.labels, Provenance(algorithm="ivos pseudo-label", parameters=told))
    return found


def _previous(path: Path | None, labels: Volume) -> Volume | None:
    from ivos.volume.volume import on_grid_of

    return None if path is None else on_grid_of(read_prediction(path, labels), labels, str(path))


def _scan(path: Path | None, labels: Volume) -> Volume | None:
    """The scan in the orientation of its labels."""
    from ivos.volume.read import read
    from ivos.volume.volume import on_grid_of

    if path is None:
        return None
    scan = read(path)
    return replace(on_grid_of(scan, labels, str(path)), modality=scan.modality)


def _tell(manifest: ReviewManifest, page: Path) -> None:
    accepted = sum(case.accepted for case in manifest.cases)
    print_line(f"{accepted} of {len(manifest.cases)} scans accepted: {page}")
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
