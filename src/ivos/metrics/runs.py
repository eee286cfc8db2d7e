"""Scores and costs of a run by case, read from the files of `ivos evaluate` and `ivos segment`."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from ivos.errors import InputError
from ivos.files import stem_of
from ivos.metrics.flare22 import ORGANS, TOLERANCE_MM

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

SCORES, EFFICIENCY = "scores.csv", "efficiency.csv"

_COLUMNS = ("case", "structure", "name", "dsc", "nsd")


class Overlap(NamedTuple):
    """DSC and NSD of one structure of one case; NaN where there is nothing to compare."""

    dsc: float
    nsd: float


class Setting(NamedTuple):
    """How the scores of a structure were computed; None for a tolerance that is not known."""

    protocol: str
    tolerance_mm: float | None


class Cost(NamedTuple):
    """What one case has cost; the names are those of :class:`ivos.metrics.efficiency.Efficiency`."""

    seconds: float
    gpu_mb_s: float
    cpu_percent_s: float


@dataclass(frozen=True)
class Run:
    """A run over cases.

    Attributes:
        name: what to call it.
        scores: of every case, by structure (label id).
        names: of the structures.
        costs: of every case that was measured; None if none was.
        settings: of every structure, as far as they are known.
        true_volumes_ml: of every case, by structure, as far as they are known.
    """

    name: str
    scores: Mapping[str, Mapping[int, Overlap]]
    names: Mapping[int, str]
    costs: Mapping[str, Cost] | None = None
    settings: Mapping[int, Setting] = field(default_factory=dict)
    true_volumes_ml: Mapping[str, Mapping[int, float]] = field(default_factory=dict)


def read_run(path: Path, name: str | None = None) -> Run:
    """Read a run.

    Args:
        path: a CSV file as ``ivos evaluate --csv`` writes it, or a folder that holds ``scores.csv``; an
            ``efficiency.csv`` beside a ``scores.csv`` is read too, and a ``scores.json`` where the table does not say
            how it was computed.
        name: what to call it; by default the folder's or the file's name.

    Raises:
        InputError: not there, not such a file, a column is missing, a figure is not a number or beyond its range, a
            structure of a case is there twice, or its scores were computed in several ways.
    """
    file = path / SCORES if path.is_dir() else path
    run = _read_scores(file, name or _run_name(file))
    costs = file.with_name(EFFICIENCY)
    measured = file.name == SCORES and costs.is_file()
    return replace(run, costs=_costs(costs, run.scores)) if measured else run


def _run_name(file: Path) -> str:
    return file.resolve().parent.name if file.name == SCORES else stem_of(file)


def _read_scores(file: Path, called: str) -> Run:
    scores: dict[str, dict[int, Overlap]] = {}
    names: dict[int, str] = {}
    settings: dict[int, Setting] = {}
    volumes: dict[str, dict[int, float]] = {}
    for where, row in _rows(file, _COLUMNS):
        structure = _label(row["structure"], where)
        of_case = scores.setdefault(row["case"], {})
        if structure in of_case:
            raise InputError(f"{where}: structure {structure} of case '{row['case']}' appears twice")
        of_case[structure] = Overlap(*(_number(row, column, where, highest=1.0) for column in Overlap._fields))
        names.setdefault(structure, row["name"])
        if row.get("true_volume_ml"):
            volumes.setdefault(row["case"], {})[structure] = _number(row, "true_volume_ml", where)
        if row.get("protocol"):
            setting = Setting(row["protocol"].strip(), _tolerance_mm(row, where))
            if settings.setdefault(structure, setting) != setting:
                one, other = (_describe(s) for s in (settings[structure], setting))
                raise InputError(f"{where}: computed by {other}, and other rows of structure {structure} by {one}")
    if not scores:
        raise InputError(f"{file}: holds no scores")
    return Run(called, scores, names, settings=settings or _settings_beside(file, names), true_volumes_ml=volumes)


def _tolerance_mm(row: Mapping[str, str], where: str) -> float | None:
    value = _number(row, "tolerance_mm", where) if row.get("tolerance_mm") else math.nan
    return None if math.isnan(value) else value


def _describe(setting: Setting) -> str:
    of = "" if setting.tolerance_mm is None else f", NSD at {setting.tolerance_mm:g} mm"
    return f"the protocol {setting.protocol}{of}"


def _settings_beside(file: Path, structures: Iterable[int]) -> dict[int, Setting]:
    """Settings from the ``scores.json`` of a report whose table does not have them."""
    beside = file.with_name("scores.json")
    try:
        content = json.loads(beside.read_text("utf-8")) if file.name == SCORES else {}
        protocol, tolerance_mm = content.get("protocol"), content.get("tolerance_mm")
    except (OSError, ValueError, AttributeError):
        return {}
    if not isinstance(protocol, str):
        return {}
    if isinstance(tolerance_mm, (int, float)):
        return {structure: Setting(protocol, float(tolerance_mm)) for structure in structures}
    return {structure: Setting(protocol, TOLERANCE_MM.get(ORGANS.get(structure, ""))) for structure in structures}


def _costs(file: Path, scores: Mapping[str, object]) -> dict[str, Cost]:
    """Costs of the cases with scores; GPU memory that was not measured counts as 0: there was no GPU."""
    costs = {}
    for where, row in _rows(file, ("case", *Cost._fields)):
        cost = Cost(*(_number(row, column, where) for column in Cost._fields))
        if row["case"] in costs:
            raise InputError(f"{where}: case '{row['case']}' appears twice")
        costs[row["case"]] = cost._replace(gpu_mb_s=0.0) if math.isnan(cost.gpu_mb_s) else cost
    if not set(costs) & set(scores):
        raise InputError(
            f"{file}: has none of the cases of {SCORES} in the same folder; use the same case names in both"
        )
    return costs


def _rows(file: Path, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Where each row is, for errors, and what it has in these columns."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, strict=True)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                raise InputError(f"{file}: has no column {', '.join(missing)}; required: {', '.join(columns)}")
            for row in reader:
                where = f"{file}, line {reader.line_num}"
                if any(row[column] is None for column in columns):
                    raise InputError(f"{where}: incomplete row; is the file truncated?")
                yield where, row
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file}: not a CSV file: {error}") from error


def _label(text: str, where: str) -> int:
    if not text.strip().isdecimal():
        raise InputError(f"{where}: structure '{text}' is not a label id")
    return int(text)


def _number(row: Mapping[str, str], column: str, where: str, *, highest: float = math.inf) -> float:
    """A figure of 0 or more; NaN for an empty cell, which is how figures are written that there are not."""
    text = row[column].strip()
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError as error:
        raise InputError(f"{where}: {column} '{text}' is not a number") from error
    if math.isinf(value) or value < 0 or value > highest:
        raise InputError(f"{where}: {column} {text} is outside 0 to {highest:g}")
    return value
