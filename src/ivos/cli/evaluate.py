"""`ivos evaluate`: labels against labels."""

from __future__ import annotations

import csv
import json
import tempfile
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ivos.cli.cases import named
from ivos.cli.cohort_options import ClusterOption, Where, WorkersOption
from ivos.cli.label_options import IgnoreLabelOption  # noqa: TC001 - Typer reads it
from ivos.cli.terminal import numbers, print_json, print_line, print_table, progress_bar
from ivos.errors import InputError
from ivos.files import replacing, stem_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ivos.metrics.evaluation import Score
    from ivos.report.evaluation import CaseFiles


class ProtocolChoice(str, Enum):
    """The rules of DSC and NSD."""

    standard = "standard"
    flare22 = "flare22"
    flare22_corrected = "flare22-corrected"


def evaluate(
    prediction: Annotated[Path, typer.Argument(help="Label file, or a folder of them.")],
    truth: Annotated[Path, typer.Argument(help="Label file, or a folder of them with the same names.")],
    protocol: Annotated[
        ProtocolChoice,
        typer.Option(help="Rules of DSC and NSD: plain; the FLARE22 challenge's; those with every slice counted."),
    ] = ProtocolChoice.standard,
    tolerance: Annotated[
        float | None, typer.Option(help="Tolerance of the NSD in mm, 2 by default; FLARE22 has its own.")
    ] = None,
    structures: Annotated[str | None, typer.Option(help="Only these label ids, like 1,4,7-9.")] = None,
    scheme: Annotated[
        str | None, typer.Option(help="Names: flare22, amos, btcv, totalsegmentator, or a JSON file.")
    ] = None,
    ignore_label: IgnoreLabelOption = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Also write the scores to this CSV file.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Folder for a page with plots and the worst cases, scores.csv and scores.json.")
    ] = None,
    scans: Annotated[
        Path | None, typer.Option(help="Scan, or folder of them, to show the worst cases on in the report.")
    ] = None,
    workers: WorkersOption = None,
    cluster: ClusterOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """DSC, NSD and HD95 of every structure, for two label files or two folders of them.

    Over processes or a cluster, a run with a report goes on where it stopped, by cohort.sqlite in its folder.
    """
    from ivos.metrics.evaluation import as_rows
    from ivos.metrics.evaluation import evaluate as score
    from ivos.volume.read_pair import read_pair

    tolerance_mm = _tolerance_mm(tolerance, protocol)
    ids = None if structures is None else tuple(numbers(structures))
    names = _names(scheme)
    for path in (prediction, truth):
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
    if prediction.is_dir() != truth.is_dir():
        raise InputError(f"{prediction} and {truth}: give two files or two folders")
    where = Where(workers, cluster)
    _check_where(where, truth, report)
    files = _files(prediction, truth, scans, report, ignore_label)
    options: dict[str, Any] = {"protocol": protocol.value, "structures": ids, "names": names, "ignore": ignore_label}
    if tolerance_mm is not None:
        options["tolerance_mm"] = tolerance_mm
    if truth.is_dir():
        scores = _of_folders(prediction, truth, options, where, report, shown=not as_json)
    else:
        scores = score(*read_pair(prediction, truth, structures=ids, names=names), **options)
    settings, nsd = {"protocol": protocol.value, "tolerance_mm": tolerance_mm}, _nsd(protocol, tolerance_mm)
    if csv_file is not None:
        _write_csv(csv_file, as_rows(scores))
    if as_json:
        print_json(_content(settings, scores))
    else:
        _print_scores(scores, ("DSC", "NSD" if tolerance_mm is None else nsd, "HD95 mm"))
    if report is not None:
        title = f"{prediction.resolve().name} against {truth.resolve().name}"
        page = _write_report(report, scores, files, settings, title=title, nsd=nsd, shown=not as_json)
        if not as_json:
            print_line(f"Report: {page}")


def _tolerance_mm(tolerance: float | None, protocol: ProtocolChoice) -> float | None:
    """The tolerance of the NSD; None where the protocol has one for each organ."""
    if protocol is ProtocolChoice.standard:
        tolerance_mm = 2.0 if tolerance is None else tolerance
        if tolerance_mm <= 0:
            raise InputError(f"--tolerance {tolerance_mm:g}: must be more than 0 mm")
        return tolerance_mm
    if tolerance is not None:
        raise InputError(f"--tolerance {tolerance:g}: {protocol.value} has a tolerance for each organ; leave it out")
    return None


def _nsd(protocol: ProtocolChoice, tolerance_mm: float | None) -> str:
    return f"NSD ({protocol.value})" if tolerance_mm is None else f"NSD {tolerance_mm:g} mm"


def _check_where(where: Where, truth: Path, report: Path | None) -> None:
    if not where.here and not truth.is_dir():
        raise InputError("--workers and --cluster go with folders of label files; leave them out for two files")
    if where.cluster is not None and report is None:
        raise InputError("--cluster: give --report FOLDER too, in a folder that all machines see")


def _of_folders(
    prediction: Path, truth: Path, options: Mapping[str, Any], where: Where, report: Path | None, *, shown: bool
) -> list[Score]:
    """The scores of all cases, in the order of names wherever they are computed.

    Raises:
        typer.Exit: with code 1 where cases failed: a mean over the others would not be that of the cohort.
    """
    from ivos.metrics.evaluation import evaluate_folders, paired

    if where.here:
        with progress_bar("Evaluating", shown=shown) as progress:
            return evaluate_folders(prediction, truth, **options, progress=progress)
    from ivos.cli.cohort_command import over_cohort_afresh, tell_failures
    from ivos.cohort.job import Case
    from ivos.cohort.jobs.evaluate import EvaluateJob, scores_in

    cases = [
        Case(name, {"prediction": str(found.absolute()), "truth": str(true.absolute())})
        for name, (found, true) in paired(prediction, truth).items()
    ]
    with tempfile.TemporaryDirectory(prefix="ivos-") as folder:
        rows = over_cohort_afresh(EvaluateJob(**options), cases, report or Path(folder), where)
    tell_failures(rows)
    return [score for row in rows for score in scores_in(row.figures)]


def _files(
    prediction: Path, truth: Path, scans: Path | None, report: Path | None, ignore: int | None
) -> dict[str, CaseFiles]:
    """What the report shows of each case, checked before the hours of work."""
    if report is None:
        if scans is not None:
            raise InputError(f"--scans {scans}: goes with --report FOLDER")
        return {}
    from ivos.report.evaluation import CaseFiles
    from ivos.volume.cases import labels_by_case, scans_by_case

    _make(report)
    if not truth.is_dir():
        if scans is not None and not scans.exists():
            raise InputError(f"{scans}: no such file or folder")
        return {stem_of(truth): CaseFiles(prediction, truth, scans, ignore)}
    predictions, truths = labels_by_case(prediction), labels_by_case(truth)
    images = {} if scans is None else scans_by_case(scans)
    missing = [case for case in truths if case not in images]
    if scans is not None and missing:
        raise InputError(f"{scans}: no scan for {len(missing)} of {len(truths)} cases: {named(missing)}")
    return {
        case: CaseFiles(predictions[case], path, images.get(case), ignore)
        for case, path in truths.items()
        if case in predictions  # the evaluation tells which are not
    }


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made: {error.strerror}; give another folder with --report") from error


def _write_report(
    folder: Path,
    scores: Sequence[Score],
    files: Mapping[str, CaseFiles],
    settings: Mapping[str, Any],
    *,
    title: str,
    nsd: str,
    shown: bool,
) -> Path:
    """The figures first: they are there even if a picture fails."""
    from ivos.metrics.evaluation import as_rows
    from ivos.report.evaluation import write_evaluation

    told = [replace(score, case=score.case or next(iter(files))) for score in scores]  # two files have no case's name
    _write_csv(folder / "scores.csv", as_rows(told))
    with replacing(folder / "scores.json") as path:
        path.write_text(json.dumps(_content(settings, told), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    with progress_bar("Painting", shown=shown) as progress:
        return write_evaluation(folder, told, files, title=title, nsd=nsd, progress=progress)


def _names(scheme: str | None) -> dict[int, str] | None:
    from ivos.volume.labels import bundled_scheme, load_scheme

    if scheme is None:
        return None
    return (load_scheme(Path(scheme)) if scheme.endswith(".json") else bundled_scheme(scheme)).names


def _write_csv(path: Path, rows: Sequence[dict[str, object]]) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys() if rows else [])
        writer.writeheader()
        writer.writerows(rows)


def _content(settings: Mapping[str, Any], scores: Sequence[Score]) -> dict[str, Any]:
    from ivos.metrics.evaluation import as_rows

    return {**settings, "scores": as_rows(scores), **_summary(scores)}


def _summary(scores: Sequence[Score]) -> dict[str, Any]:
    """Mean over all scores; mean and standard deviation of each structure over the cases."""
    from ivos.metrics.evaluation import by_structure, deviations, finite_or_none, means

    def plain(figures: dict[str, float]) -> dict[str, float | None]:
        return {metric: finite_or_none(value) for metric, value in figures.items()}

    structures = [
        {"structure": s[0].structure, "name": s[0].name, "mean": plain(means(s)), "sd": plain(deviations(s))}
        for s in by_structure(scores)
    ]
    return {"mean": plain(means(scores)), "structures": structures}


def _print_scores(scores: Sequence[Score], metrics: Sequence[str]) -> None:
    """A table of a case, or of what several have in common."""
    cases = {score.case for score in scores}
    if len(cases) > 1:
        _print_cases(f"{len(cases)} cases, mean ± SD", scores, metrics)
    else:
        _print_case(scores, metrics)


def _print_case(scores: Sequence[Score], metrics: Sequence[str]) -> None:
    """A row per structure, and the mean of all."""
    from ivos.metrics.evaluation import means

    rows = [(s.name, *_figures(means([s])), f"{s.volume_ml:.1f}", f"{s.true_volume_ml:.1f}") for s in scores]
    rows.append(("mean", *_figures(means(scores)), "", ""))
    print_table("", ("structure", *metrics, "mL", "true mL"), rows)


def _print_cases(title: str, scores: Sequence[Score], metrics: Sequence[str]) -> None:
    """A row per structure with mean and standard deviation over the cases, and the mean of all."""
    from ivos.metrics.evaluation import by_structure, deviations, means

    rows = []
    for group in by_structure(scores):
        pairs = zip(_figures(means(group)), _figures(deviations(group)), strict=True)
        rows.append((group[0].name, *(f"{mean} ± {sd}" for mean, sd in pairs)))
    print_table(title, ("structure", *metrics), [*rows, ("mean", *_figures(means(scores)))])


def _figures(of: Mapping[str, float]) -> tuple[str, str, str]:
    """DSC and NSD with four decimals, as many as the FLARE22 protocol has; HD95 with three."""
    return _figure(of["dsc"], 4), _figure(of["nsd"], 4), _figure(of["hd95_mm"], 3)


def _figure(value: float, decimals: int) -> str:
    return "-" if value != value else f"{value:.{decimals}f}"
