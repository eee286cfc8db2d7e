"""`ivos evaluate`: labels against labels."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivos.cli.terminal import numbers, print_json, print_table, progress_bar
from ivos.errors import InputError
from ivos.files import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivos.metrics.evaluation import Score


def evaluate(
    prediction: Annotated[Path, typer.Argument(help="Label file, or a folder of them.")],
    truth: Annotated[Path, typer.Argument(help="Label file, or a folder of them with the same names.")],
    tolerance: Annotated[float, typer.Option(help="Tolerance of the NSD in mm.")] = 2.0,
    structures: Annotated[str | None, typer.Option(help="Only these label ids, like 1,4,7-9.")] = None,
    scheme: Annotated[
        str | None, typer.Option(help="Names: flare22, amos, btcv, totalsegmentator, or a JSON file.")
    ] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Also write the scores to this CSV file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """DSC, NSD and HD95 of every structure, for two label files or two folders of them."""
    from ivos.metrics.evaluation import as_rows, evaluate_folders, finite_or_none, means
    from ivos.metrics.evaluation import evaluate as score
    from ivos.volume.read import read_labels

    if tolerance <= 0:
        raise InputError(f"--tolerance {tolerance:g}: must be more than 0 mm")
    ids = None if structures is None else numbers(structures)
    names = _names(scheme)
    for path in (prediction, truth):
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
    if prediction.is_dir() != truth.is_dir():
        raise InputError(f"{prediction} and {truth}: give two files or two folders")
    if truth.is_dir():
        with progress_bar("Evaluating", shown=not as_json) as progress:
            scores = evaluate_folders(
                prediction, truth, tolerance_mm=tolerance, structures=ids, names=names, progress=progress
            )
    else:
        scores = score(read_labels(prediction), read_labels(truth), tolerance_mm=tolerance, structures=ids, names=names)
    rows = as_rows(scores)
    if csv_file is not None:
        _write_csv(csv_file, rows)
    if as_json:
        mean = {metric: finite_or_none(value) for metric, value in means(scores).items()}
        print_json({"tolerance_mm": tolerance, "scores": rows, "mean": mean})
    else:
        _print_scores(scores, tolerance)


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


def _print_scores(scores: Sequence[Score], tolerance: float) -> None:
    """A row per structure: its figures, or their means where there are several cases; the mean of all at the end."""
    from ivos.metrics.evaluation import means

    structures = sorted({(score.structure, score.name) for score in scores})
    groups = [(name, [s for s in scores if s.structure == number]) for number, name in structures]
    rows = []
    for name, group in [*groups, ("mean", scores)]:
        found = means(group)
        volumes = [
            sum(values) / len(group) for values in zip(*((s.volume_ml, s.true_volume_ml) for s in group), strict=True)
        ]
        shown = [f"{v:.1f}" for v in volumes] if name != "mean" else ["", ""]
        rows.append((name, *(_figure(found[metric]) for metric in ("dsc", "nsd", "hd95_mm")), *shown))
    cases = len({score.case for score in scores})
    title = f"{cases} cases" if cases > 1 else ""
    print_table(title, ("structure", "DSC", f"NSD {tolerance:g} mm", "HD95 mm", "mL", "true mL"), rows)


def _figure(value: float) -> str:
    return "-" if value != value else f"{value:.3f}"
