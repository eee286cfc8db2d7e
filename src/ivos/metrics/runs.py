"""What a run has scored and cost, case by case, from the files that `ivos evaluate` and `ivos segment` write."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ivos.errors import InputError
from ivos.files import stem_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

SCORES, EFFICIENCY = "scores.csv", "efficiency.csv"

_COLUMNS = ("case", "structure", "name", "dsc", "nsd")


class Overlap(NamedTuple):
    """DSC and NSD of one structure of one case; NaN where there is nothing to compare."""

    dsc: float
    nsd: float


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
    """

    name: str
    scores: Mapping[str, Mapping[int, Overlap]]
    names: Mapping[int, str]
    costs: Mapping[str, Cost] | None = None


def read_run(path: Path, name: str | None = None) -> Run:
    """Read a run.

    Args:
        path: a CSV file as ``ivos evaluate --csv`` writes it, or a folder that holds ``scores.csv``; an
            ``efficiency.csv`` beside a ``scores.csv`` is read too.
        name: what to call it; by default the folder's or the file's name.

    Raises:
        InputError: not there, not such a file, a column is missing, a figure is not a number or beyond its range, a
            structure of a case is there twice.
    """
    file = path / SCORES if path.is_dir() else path
    scores, names = _scores(file)
    costs = file.with_name(EFFICIENCY)
    measured = file.name == SCORES and costs.is_file()
    return Run(name or _called(file), scores, names, _costs(costs, scores) if measured else None)


def _called(file: Path) -> str:
    return file.resolve().parent.name if file.name == SCORES else stem_of(file)


def _scores(file: Path) -> tuple[dict[str, dict[int, Overlap]], dict[int, str]]:
    scores: dict[str, dict[int, Overlap]] = {}
    names: dict[int, str] = {}
    for where, row in _rows(file, _COLUMNS):
        structure = _label(row["structure"], where)
        of_case = scores.setdefault(row["case"], {})
        if structure in of_case:
            raise InputError(f"{where}: structure {structure} of case '{row['case']}' is there twice")
        of_case[structure] = Overlap(*(_number(row, column, where, highest=1.0) for column in Overlap._fields))
        names.setdefault(structure, row["name"])
    if not scores:
        raise InputError(f"{file}: holds no scores")
    return scores, names


def _costs(file: Path, scores: Mapping[str, object]) -> dict[str, Cost]:
    """What the cases cost that have scores; GPU memory that was not measured is none: there was no GPU."""
    costs = {}
    for where, row in _rows(file, ("case", *Cost._fields)):
        cost = Cost(*(_number(row, column, where) for column in Cost._fields))
        if row["case"] in costs:
            raise InputError(f"{where}: case '{row['case']}' is there twice")
        costs[row["case"]] = cost._replace(gpu_mb_s=0.0) if math.isnan(cost.gpu_mb_s) else cost
    if not set(costs) & set(scores):
        raise InputError(f"{file}: has none of the cases of {SCORES} beside it; give its cases their names")
    return costs


def _rows(file: Path, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Where each row is, for errors, and what it has in these columns."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, strict=True)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                raise InputError(f"{file}: has no column {', '.join(missing)}; needed are {', '.join(columns)}")
            for row in reader:
                where = f"{file}, line {reader.line_num}"
                if any(row[column] is None for column in columns):
                    raise InputError(f"{where}: ends early; is the file whole?")
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
        raise InputError(f"{where}: {column} {text} is not from 0 to {highest:g}")
    return value
