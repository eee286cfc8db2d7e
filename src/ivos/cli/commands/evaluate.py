"""`ivos evaluate`: labels against labels."""

from __future__ import annotations

import csv
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ivos.cli.cases import named
from ivos.cli.cohort_options import ClusterOption, Where, WorkersOption
from ivos.cli.label_options import ByOption, IgnoreLabelOption
from ivos.cli.score_tables import print_scores, scores_content
from ivos.cli.terminal import numbers, print_error, print_json, print_line, progress_bar
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
    truth: Annotated[Path, typer.Argument(help="Label file, or a folder of them with the same names.")],
    protocol: Annotated[
        Protocol,
        typer.Option(help="Rules of DSC and NSD: plain; the FLARE22 challenge's; those with every slice counted."),
    ] = "standard",
    tolerance: Annotated[
        float | None, typer.Option(help="Tolerance of the NSD in mm, 2 by default; FLARE22 has its own.")
    ] = None,
    structures: Annotated[str | None, typer.Option(help="Only these label ids, like 1,4,7-9.")] = None,
    scheme: Annotated[
        str | None, typer.Option(help="Names: flare22, amos, btcv, totalsegmentator, or a JSON file.")
    ] = None,
    ignore_label: IgnoreLabelOption = None,
    by: ByOption = "auto",
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Also write the scores to this CSV file.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Folder for a page with plots and the worst cases, scores.csv and scores.json.")
    ] = None,
    scans: Annotated[
        Path | None,
        typer.Option(help="Scan, or folder of them: for RTSTRUCT files, and to show the worst cases on in the report."),
    ] = None,
    workers: WorkersOption = None,
    cluster: ClusterOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """DSC, NSD and HD95 of every structure, for two label files or two folders of them.

    A case that cannot be compared is named, the others are compared, and the exit code is 1. Over processes or a
    cluster, a run with a report goes on where it stopped, by cohort.sqlite in its folder.
    """
    tolerance_mm = _tolerance_mm(tolerance, protocol)
    ids = None if structures is None else tuple(numbers(structures))
    if ids is not None and protocol != "standard":
        from ivos.metrics.flare22 import check_organs

        check_organs(ids, "--structures")
    names = _names(scheme)
    for path in (prediction, truth):
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
    if prediction.is_dir() != truth.is_dir():
        raise InputError(f"{prediction} and {truth}: give two files or two folders")
    where = Where(workers, cluster)
    _check_where(where, truth, report)
    if csv_file is not None:
        check_file_writable(csv_file, "--csv")
    files = _files(prediction, truth, scans, report)
    options: dict[str, Any] = {"protocol": protocol, "structures": ids, "names": names}
    options["ignore"] = ignore_label
    options["by"] = matching = by
    if tolerance_mm is not None:
        options["tolerance_mm"] = tolerance_mm
    failed: dict[str, str] = {}
    if truth.is_dir():
        scores = _of_folders(prediction, truth, options, where, files, report, failed, shown=not as_json)
        _refuse_if_all_failed(failed, scores)
    else:
        scores = _of_files(prediction, truth, options, scans)
    settings = {"protocol": protocol, "tolerance_mm": tolerance_mm, "chosen_structures": ids, "by": matching}
    nsd = _nsd(protocol, tolerance_mm)
    if csv_file is not None:
        _write_csv(csv_file, scores)
    if as_json:
        print_json(scores_content(settings, scores, failed))
    else:
        cases = len({score.case for score in scores}) + len(failed)
        print_scores(scores, ("DSC", "NSD" if tolerance_mm is None else nsd, "HD95 mm"), cases)
    if report is not None:
        title = f"{prediction.resolve().name} against {truth.resolve().name}"
        shown = {case: replace(one, names=names, ignore=ignore_label, by=matching) for case, one in files.items()}
        page = _write_report(report, scores, shown, settings, failed, title=title, nsd=nsd, shown=not as_json)
        if not as_json:
            print_line(f"Report: {page}")
    if failed:
        done = len({score.case for score in scores})
        print_error(f"{done} of {done + len(failed)} done; {len(failed)} failed: {named(failed)}")
        raise typer.Exit(1)


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


def _nsd(protocol: Protocol, tolerance_mm: float | None) -> str:
    return f"NSD ({protocol})" if tolerance_mm is None else f"NSD {tolerance_mm:g} mm"


def _check_where(where: Where, truth: Path, report: Path | None) -> None:
    if not where.here and not truth.is_dir():
        raise InputError("--workers and --cluster go with folders of label files; leave them out for two files")
    if where.cluster is not None and report is None:
        raise InputError("--cluster: give --report FOLDER too, in a folder that all machines see")


def _of_files(prediction: Path, truth: Path, options: Mapping[str, Any], scan: Path | None) -> list[Score]:
    from ivos.io.pairs import read_pair
    from ivos.metrics.evaluation import evaluate as score

    return score(*read_pair(prediction, truth, scan=scan, names=options["names"]), **options)


def _of_folders(
    prediction: Path,
    truth: Path,
    options: Mapping[str, Any],
    where: Where,
    files: Mapping[str, CaseFiles],
    report: Path | None,
    failed: dict[str, str],
    *,
    shown: bool,
) -> list[Score]:
    """The scores of all cases, in the order of names wherever computed; ``failed`` gets the others, and why."""
    from ivos.metrics.evaluation import evaluate_folders, missing_cases

    def tell(case: str, error: InputError) -> None:
        failed[case] = " ".join(str(error).split())
        print_error(f"ivos: {case}: {failed[case]}")

    if where.here:
        with progress_bar("Evaluating", shown=shown) as progress:
            images = {case: one.scan for case, one in files.items() if one.scan is not None}
            return evaluate_folders(prediction, truth, **options, scans=images, progress=progress, failed=tell)
    from ivos.cli.cohort_command import run_or_rebuild
    from ivos.metrics.same_structures import match_cases
    from ivos.pipelines.evaluate import EvaluateJob, notes_in, scores_in
    from ivos.pipelines.protocol import Case

    cases = []
    for name, one in files.items():
        inputs = {"prediction": one.prediction, "truth": one.truth, **({"scan": one.scan} if one.scan else {})}
        cases.append(Case(name, {role: str(path.absolute()) for role, path in inputs.items()}))
    for case in missing_cases(prediction, truth):
        tell(case, InputError(f"{prediction}: no prediction for it"))
    with temporary_folder() as folder:
        rows = run_or_rebuild(EvaluateJob(**options), cases, report or folder, where)
    failed.update({row.name: str(row.reason) for row in rows if row.state != "done"})
    done = [row.figures for row in rows if row.state == "done"]
    scores, sentence = match_cases([score for figures in done for score in scores_in(figures)], options["by"])
    for note in dict.fromkeys([*(n for figures in done for n in notes_in(figures)), *([sentence] if sentence else [])]):
        _log.warning(note)
    return scores


def _refuse_if_all_failed(failed: Mapping[str, str], scores: Sequence[Score]) -> None:
    """A run without a single case is a refusal; why each case failed has been said."""
    if failed and not scores:
        raise InputError(f"none of {counted(len(failed), 'case')} can be compared: {named(failed)}")


def _files(prediction: Path, truth: Path, scans: Path | None, report: Path | None) -> dict[str, CaseFiles]:
    """The files of each case that has both, checked before the hours of work; the report shows some of them.

    Raises:
        InputError: scans that nothing needs, or that are not there for every case; no case that both folders have.
    """
    from ivos.io.cases import scans_by_case
    from ivos.io.dicom.labels import holds_dicom_labels
    from ivos.metrics.evaluation import common_cases
    from ivos.report.evaluation import CaseFiles

    folders = truth.is_dir()
    pairs = common_cases(prediction, truth) if folders else {stem_of(truth): (prediction, truth)}
    if scans is not None and report is None and not any(holds_dicom_labels(p) for pair in pairs.values() for p in pair):
        raise InputError(f"--scans {scans}: goes with --report FOLDER, or with DICOM files of labels")
    if report is not None:
        _make(report)
    if scans is not None and not scans.exists():
        raise InputError(f"{scans}: no such file or folder")
    if not folders:
        return {case: CaseFiles(*pair, scans) for case, pair in pairs.items()}
    images = {} if scans is None else scans_by_case(scans)
    missing = [case for case in pairs if case not in images]
    if scans is not None and missing:
        raise InputError(f"{scans}: no scan for {len(missing)} of {counted(len(pairs), 'case')}: {named(missing)}")
    return {case: CaseFiles(*pair, images.get(case)) for case, pair in pairs.items()}


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made: {error.strerror}; give another folder with --report") from error
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
    """The figures first: they are there even if a picture fails."""
    from ivos.report.evaluation import write_evaluation

    told = [replace(score, case=score.case or next(iter(files))) for score in scores]  # two files have no case's name
    _write_csv(folder / "scores.csv", told)
    content = scores_content(settings, told, failed)
    with replacing(folder / "scores.json") as path:
        path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    with progress_bar("Painting", shown=shown) as progress:
        return write_evaluation(folder, told, files, title=title, nsd=nsd, failed=failed, progress=progress)


def _names(scheme: str | None) -> dict[int, str] | None:
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
