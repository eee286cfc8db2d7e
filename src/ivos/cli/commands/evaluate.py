"""`ivos evaluate`: labels against ground truth."""

from __future__ import annotations

import csv
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ivos.cli import options
from ivos.cli.execution import Execution, exit_with_failures, run_or_rebuild
from ivos.cli.output import name_some, print_error, print_json, print_line
from ivos.cli.predictions import find_scans
from ivos.cli.progress import progress_bar
from ivos.cli.score_tables import print_scores, scores_content
from ivos.errors import InputError, counted
from ivos.files import check_file_writable, check_writable, replacing, stem_of, temporary_folder
from ivos.metrics.flare22 import Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ivos.metrics.evaluation import Score
    from ivos.report.evaluation import CaseFiles


_log = logging.getLogger(__name__)


def evaluate(
    prediction: Annotated[Path, typer.Argument(help="Label file, or a folder of them.")],
    truth: Annotated[Path, typer.Argument(help="Ground truth: label file, or a folder of them with the same names.")],
    protocol: Annotated[
        Protocol,
        options.model_option(
            help="Definition of DSC and NSD: standard; as in the FLARE22 challenge; or that with all slices counted."
        ),
    ] = "standard",
    tolerance: Annotated[
        float | None, options.model_option(help="Tolerance of the NSD in mm. Default: 2; FLARE22 defines its own.")
    ] = None,
    structures: Annotated[str | None, options.input_option(help="Only these label ids, such as 1,4,7-9.")] = None,
    scheme: Annotated[
        str | None, options.input_option(help="Structure names: flare22, amos, btcv, totalsegmentator, or a JSON file.")
    ] = None,
    ignore_label: options.IgnoreLabelOption = None,
    by: options.ByOption = "auto",
    scans: Annotated[
        Path | None,
        options.input_option(
            help="Scan, or folder of them: to read RTSTRUCT files, and for the pictures of the report."
        ),
    ] = None,
    csv_file: Annotated[
        Path | None, options.output_option("--csv", help="Also write the scores to this CSV file.")
    ] = None,
    report: Annotated[
        Path | None,
        options.output_option(help="Folder for a report with plots and the worst cases, scores.csv and scores.json."),
    ] = None,
    as_json: options.JsonOption = False,
    workers: options.WorkersOption = None,
    cluster: options.ClusterOption = None,
) -> None:
    """DSC, NSD and HD95 of every structure, for two label files or two folders of them.

    Cases that cannot be compared are reported and skipped; the exit code is then 1. With --workers or --cluster, an
    interrupted run with a report is resumed (cohort.sqlite in its folder).
    """
    tolerance_mm = _tolerance_mm(tolerance, protocol)
    ids = options.parse_structures(structures)
    if ids is not None and protocol != "standard":
        from ivos.metrics.flare22 import check_organs

        check_organs(ids, "--structures")
    names = _load_names(scheme)
    for path in (prediction, truth):
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
    if prediction.is_dir() != truth.is_dir():
        raise InputError(f"{prediction} and {truth}: give two files or two folders")
    execution = Execution(workers, cluster)
    _check_execution(execution, truth, report)
    if csv_file is not None:
        check_file_writable(csv_file, "--csv")
    files = _find_files(prediction, truth, scans, report)
    how: dict[str, Any] = {"protocol": protocol, "structures": ids, "names": names, "ignore": ignore_label, "by": by}
    if tolerance_mm is not None:
        how["tolerance_mm"] = tolerance_mm
    failed: dict[str, str] = {}
    if truth.is_dir():
        scores = _score_folders(prediction, truth, how, execution, files, report, failed, shown=not as_json)
        _refuse_if_all_failed(failed, scores)
    else:
        scores = _score_files(prediction, truth, how, scans)
    settings = {"protocol": protocol, "tolerance_mm": tolerance_mm, "chosen_structures": ids, "by": by}
    nsd = _nsd_title(protocol, tolerance_mm)
    if csv_file is not None:
        _write_csv(csv_file, scores)
    if as_json:
        print_json(scores_content(settings, scores, failed))
    else:
        cases = len({score.case for score in scores}) + len(failed)
        print_scores(scores, ("DSC", "NSD" if tolerance_mm is None else nsd, "HD95 mm"), cases)
    if report is not None:
        title = f"{prediction.resolve().name} against {truth.resolve().name}"
        shown = {case: replace(one, names=names, ignore=ignore_label, by=by) for case, one in files.items()}
        page = _write_report(report, scores, shown, settings, failed, title=title, nsd=nsd, shown=not as_json)
        if not as_json:
            print_line(f"Report: {page}")
    if failed:
        exit_with_failures(list(failed), len({score.case for score in scores}) + len(failed))


def _tolerance_mm(tolerance: float | None, protocol: Protocol) -> float | None:
    """The tolerance of the NSD; None where the protocol has one for each organ."""
    if protocol == "standard":
        tolerance_mm = 2.0 if tolerance is None else tolerance
        if tolerance_mm <= 0:
            raise InputError(f"--tolerance {tolerance_mm:g}: must be more than 0 mm")
        return tolerance_mm
    if tolerance is not None:
        raise InputError(f"--tolerance {tolerance:g}: {protocol} has a tolerance for each organ; leave it out")
    return None


def _nsd_title(protocol: Protocol, tolerance_mm: float | None) -> str:
    return f"NSD ({protocol})" if tolerance_mm is None else f"NSD {tolerance_mm:g} mm"


def _check_execution(execution: Execution, truth: Path, report: Path | None) -> None:
    if not execution.is_serial and not truth.is_dir():
        raise InputError("--workers and --cluster are for folders of label files; leave them out for two files")
    if execution.cluster is not None and report is None:
        raise InputError("--cluster: give --report FOLDER too, a folder that all machines share")


def _score_files(prediction: Path, truth: Path, how: Mapping[str, Any], scan: Path | None) -> list[Score]:
    from ivos.io.pairs import read_pair
    from ivos.metrics.evaluation import evaluate as score

    return score(*read_pair(prediction, truth, scan=scan, names=how["names"]), **how)


def _score_folders(
    prediction: Path,
    truth: Path,
    how: Mapping[str, Any],
    execution: Execution,
    files: Mapping[str, CaseFiles],
    report: Path | None,
    failed: dict[str, str],
    *,
    shown: bool,
) -> list[Score]:
    """The scores of all cases, in the order of names wherever computed; ``failed`` gets the others, and why."""
    from ivos.metrics.evaluation import evaluate_folders, missing_cases

    def record_failure(case: str, error: InputError) -> None:
        failed[case] = " ".join(str(error).split())
        print_error(f"ivos: {case}: {failed[case]}")

    if execution.is_serial:
        with progress_bar("Evaluating", shown=shown) as progress:
            images = {case: one.scan for case, one in files.items() if one.scan is not None}
            return evaluate_folders(prediction, truth, **how, scans=images, progress=progress, failed=record_failure)
    from ivos.metrics.same_structures import match_cases
    from ivos.pipelines.evaluate import EvaluateJob, notes_in, scores_in
    from ivos.pipelines.protocol import Case

    cases = []
    for name, one in files.items():
        inputs = {"prediction": one.prediction, "truth": one.truth, **({"scan": one.scan} if one.scan else {})}
        cases.append(Case(name, {role: str(path.absolute()) for role, path in inputs.items()}))
    for case in missing_cases(prediction, truth):
        record_failure(case, InputError(f"{prediction}: no prediction for it"))
    with temporary_folder() as folder:
        rows = run_or_rebuild(EvaluateJob(**how), cases, report or folder, execution)
    failed.update({row.name: str(row.reason) for row in rows if row.state != "done"})
    done = [row.figures for row in rows if row.state == "done"]
    scores, sentence = match_cases([score for figures in done for score in scores_in(figures)], how["by"])
    for note in dict.fromkeys([*(n for figures in done for n in notes_in(figures)), *([sentence] if sentence else [])]):
        _log.warning(note)
    return scores


def _refuse_if_all_failed(failed: Mapping[str, str], scores: Sequence[Score]) -> None:
    """Refuse a run without a single case; why each case failed has been printed."""
    if failed and not scores:
        raise InputError(f"none of {counted(len(failed), 'case')} can be compared: {name_some(failed)}")


def _find_files(prediction: Path, truth: Path, scans: Path | None, report: Path | None) -> dict[str, CaseFiles]:
    """The files of each case that has both, checked before the work; the report shows some of them.

    Raises:
        InputError: scans that nothing needs, or that are not there for every case; no case that both folders have.
    """
    from ivos.io.dicom.labels import holds_dicom_labels
    from ivos.metrics.evaluation import common_cases
    from ivos.report.evaluation import CaseFiles

    folders = truth.is_dir()
    pairs = common_cases(prediction, truth) if folders else {stem_of(truth): (prediction, truth)}
    if scans is not None and report is None and not any(holds_dicom_labels(p) for pair in pairs.values() for p in pair):
        raise InputError(f"--scans {scans}: goes with --report FOLDER, or with DICOM files of labels")
    if report is not None:
        _make_folder(report)
    if scans is not None and not scans.exists():
        raise InputError(f"{scans}: no such file or folder")
    if not folders:
        return {case: CaseFiles(*pair, scans) for case, pair in pairs.items()}
    images = find_scans(scans, pairs)
    return {case: CaseFiles(*pair, images.get(case)) for case, pair in pairs.items()}


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be created: {error.strerror}; give another folder with --report") from error
    check_writable(folder, "--report")


def _write_report(
    folder: Path,
    scores: Sequence[Score],
    files: Mapping[str, CaseFiles],
    settings: Mapping[str, Any],
    failed: Mapping[str, str],
    *,
    title: str,
    nsd: str,
    shown: bool,
) -> Path:
    """Write the scores first: they exist even if a picture fails."""
    from ivos.report.evaluation import write_evaluation

    named = [replace(score, case=score.case or next(iter(files))) for score in scores]  # two files have no case's name
    _write_csv(folder / "scores.csv", named)
    content = scores_content(settings, named, failed)
    with replacing(folder / "scores.json") as path:
        path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    with progress_bar("Writing the report", shown=shown) as progress:
        return write_evaluation(folder, named, files, title=title, nsd=nsd, failed=failed, progress=progress)


def _load_names(scheme: str | None) -> dict[int, str] | None:
    from ivos.volume.labels import bundled_scheme, load_scheme

    if scheme is None:
        return None
    return (load_scheme(Path(scheme)) if scheme.endswith(".json") else bundled_scheme(scheme)).names


def _write_csv(path: Path, scores: Sequence[Score]) -> None:
    from ivos.metrics.evaluation import as_rows

    rows = as_rows(scores)
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys() if rows else [])
        writer.writeheader()
        writer.writerows(rows)
