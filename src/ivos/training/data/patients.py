"""The table that assigns cases to patients."""

from __future__ import annotations

import csv
import io
import unicodedata
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ivos.errors import InputError
from ivos.files import stem_of, suffix_of
from ivos.io.case_names import case_name
from ivos.io.registry import READABLE
from ivos.training.data.raw import bare_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SEPARATORS = ",;\t"
_BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_SHOWN = 5


@dataclass(frozen=True)
class Patients:
    """What a table says of a cohort.

    Attributes:
        whose: patients by case.
        unknown: names in the table that match no case.
        without: cases that the table does not have, or for which it names no patient.
    """

    whose: dict[str, str]
    unknown: tuple[str, ...]
    without: tuple[str, ...]

    def notes(self, path: Path) -> list[str]:
        """Lines for the user about what does not match."""
        lines = []
        if self.unknown:
            lines.append(f"{path}: names that match no case: {list_names(self.unknown)}")
        if self.without:
            lines.append(
                f"{path}: cases without a patient, each taken as a patient of its own: {list_names(self.without)}"
            )
        return lines


def read_patients(path: Path, cases: Sequence[str]) -> Patients:
    """Match the rows of a table to cases.

    Args:
        path: CSV file with the columns ``case`` and ``patient``, separated by comma, semicolon or tab; in UTF-8 or
            UTF-16, with a byte order mark or without.
        cases: names of the cases.

    Raises:
        InputError: not such a table, a name that matches two cases, a case with two patients, or no name that matches.
    """
    rows = list(_rows(path))
    found: dict[str, str] = {}  # in the spelling in which each patient came first
    spelled: dict[str, str] = {}
    unknown = []
    by_key: dict[str, list[str]] = {}
    for case in cases:
        by_key.setdefault(_key(case), []).append(case)
    for name, patient in rows:
        meant = _case_of(name, cases, by_key, path)
        if meant is None:
            unknown.append(name)
        elif patient:
            whom = spelled.setdefault(_key(patient), patient)
            if found.setdefault(meant, whom) != whom:
                raise InputError(f"{path}: {meant} has two patients, {found[meant]} and {whom}; leave one of them")
    if not found:
        raise InputError(
            f"{path}: none of its {len(rows)} names matches a case; it has {list_names([name for name, _ in rows])}; "
            f"the cases are {list_names(cases)}"
        )
    return Patients(found, tuple(unknown), tuple(case for case in cases if case not in found))


def list_names(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) or "none") + more


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    """Case and patient of each row."""
    try:
        content = path.read_bytes()
        text = content.decode(_BOMS.get(content[:2], "utf-8-sig"))
        first = text.lstrip().splitlines()[:1]
        separator = max(_SEPARATORS, key=first[0].count) if first else ","
        rows = csv.reader(
            io.StringIO(text.lstrip(), newline=""), delimiter=separator, skipinitialspace=True, strict=True
        )
        head = [column.strip().casefold() for column in next(rows, [])]
        case, patient = head.index("case"), head.index("patient")
        found = [(rows.line_num, [cell.strip() for cell in row] + [""] * len(head)) for row in rows]
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not in UTF-8; save the file as CSV in UTF-8") from error
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV file with columns 'case' and 'patient'") from error
    for line, cells in found:
        if cells[case]:
            yield cells[case], cells[patient]
        elif cells[patient]:
            raise InputError(f"{path}: line {line}: patient {cells[patient]} without a case")


def _case_of(name: str, cases: Sequence[str], by_key: dict[str, list[str]], path: Path) -> str | None:
    """The case that a name in the table means: the same letter for letter, or else by the rule for names."""
    if name in cases:
        return name
    for key in _keys(name):
        matching = by_key.get(key, [])
        if len(matching) > 1:
            raise InputError(f"{path}: {name} may be {' or '.join(matching)}; write it as the case is written")
        if matching:
            return matching[0]
    return None


def _keys(name: str) -> Iterator[str]:
    """Keys under which a case may be known: of its name, of the name of its file, and of the case that file is of."""
    path = Path(PurePosixPath(name.replace("\\", "/")).name)
    stem = stem_of(path) if suffix_of(path) in READABLE else path.name
    case = case_name(stem.strip())
    for spelling in (name, stem, case, bare_name(case)):
        yield _key(spelling)


def _key(name: str) -> str:
    """Letters alike in either case and however composed; white space as one blank, none at the ends."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())
