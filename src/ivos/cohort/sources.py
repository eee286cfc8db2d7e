"""Where a cohort's cases come from: a folder of scans, a list, a tree of DICOM series, an address."""

from __future__ import annotations

import csv
import json
import unicodedata
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ivos.cohort.dicom_tree import SeriesRules, cases_in_tree
from ivos.errors import InputError
from ivos.files import entries_of, is_system_file, suffix_of
from ivos.io.case_names import case_name, case_of, is_named_as_labels
from ivos.io.cases import holds_files, labels_by_case, scans_by_case
from ivos.io.registry import READABLE
from ivos.io.remote import is_address, listed
from ivos.pipelines.protocol import Case

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LISTS = (".csv", ".json")

_NAMED = 5


@dataclass(frozen=True)
class FoundCases:
    """What a source holds.

    Attributes:
        cases: with absolute paths, or addresses.
        left_out: how many DICOM series, or files, were left out, by reason.
    """

    cases: tuple[Case, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)


def cases_from(source: str | Path, *, roles: Sequence[str] = (), rules: SeriesRules | None = None) -> FoundCases:
    """The cases of a source.

    Args:
        source: a folder with an image file, or DICOM zip, for each case, named as it; a folder with DICOM series
            anywhere below it; a .csv list with the columns ``case`` and ``scan`` and, where they are wanted, roles,
            ``series`` and ``stack``; a .json list of objects with the same names, paths in both relative to the list;
            the address of a folder of image files or of a list.
        roles: further inputs that every case of a list has to have, ``"annotations"`` for example.
        rules: which DICOM series of a tree are taken.

    Raises:
        InputError: nothing there, no cases in it, a list that is not one, or a case without what it needs or twice.
    """
    text = str(source)
    if rules is not None and replace(rules, series=None) != SeriesRules() and _is_no_tree(text):
        raise InputError(f"{text}: the options --series-* apply only to DICOM folders; leave them out")
    if suffix_of(Path(text)) in LISTS:
        return FoundCases(tuple(_listed_cases(text, roles)))
    if roles:
        raise InputError(f"{text}: has no {roles[0]}; give them with --{roles[0]} FOLDER, or a list that names them")
    if is_address(text):
        return FoundCases(tuple(_cases_at(text)))
    folder = Path(text)
    if _holds_scans(folder):
        return FoundCases(
            tuple(Case(name, {"scan": str(path.absolute())}) for name, path in scans_by_case(folder).items())
        )
    if not folder.is_dir():
        raise InputError(f"{folder}: {'is a file; give a folder or a list' if folder.exists() else 'no such folder'}")
    cases, left_out = cases_in_tree(folder, rules or SeriesRules())
    return FoundCases(tuple(cases), left_out)


def _is_no_tree(text: str) -> bool:
    return is_address(text) or Path(text).is_file() or _holds_scans(Path(text))


def _holds_scans(folder: Path) -> bool:
    """Whether a folder has an image file, or a DICOM zip, for each case."""
    return holds_files(folder) or (folder.is_dir() and any(suffix_of(path) == ".zip" for path in entries_of(folder)))


def joined(found: FoundCases, role: str, folder: Path) -> FoundCases:
    """The cases with a further input each: the label file of a folder that is named as the case.

    Raises:
        InputError: a case has no such file.
    """
    files = labels_by_case(folder)
    scans = {case.inputs["scan"] for case in found.cases}
    files = {name: path for name, path in files.items() if str(path.absolute()) not in scans}
    missing = [case.name for case in found.cases if case_name(case.name) not in files]
    if missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise InputError(f"{folder}: no {role} for {', '.join(missing[:_NAMED])}{more}")
    cases = [
        replace(case, inputs={**case.inputs, role: str(files[case_name(case.name)].absolute())}) for case in found.cases
    ]
    return replace(found, cases=tuple(cases))


def _cases_at(address: str) -> list[Case]:
    cases: dict[str, str] = {}
    for place in listed(address):
        path = Path(place)
        if suffix_of(path) not in READABLE or is_system_file(Path(path.name)) or is_named_as_labels(path):
            continue
        if case_of(path) in cases:
            raise InputError(f"{place}: the case '{case_of(path)}' is there twice, as {cases[case_of(path)]} too")
        cases[case_of(path)] = place
    if not cases:
        raise InputError(f"{address}: no image files ({', '.join(READABLE)}); name DICOM folders in a list")
    return [Case(name, {"scan": place}) for name, place in cases.items()]


def _listed_cases(source: str, roles: Sequence[str]) -> list[Case]:
    from ivos.io.remote import local_copy

    with local_copy(source) as path:
        entries = _entries(path, source)
    base = source.rpartition("/")[0] if is_address(source) else str(Path(source).absolute().parent)
    if not entries:
        raise InputError(f"{source}: lists no cases")
    return [_listed_case(entry, number, source, base, roles) for number, entry in enumerate(entries, start=1)]


def _entries(path: Path, source: str) -> list[Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{source}: cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
    if suffix_of(path) == ".csv":
        return list(csv.DictReader(text.splitlines(), skipinitialspace=True))
    try:
        content = json.loads(text)
    except ValueError as error:
        raise InputError(f"{source}: not JSON: {error}") from error
    if not isinstance(content, list):
        raise InputError(f'{source}: not a list of cases; write [{{"case": "...", "scan": "..."}}, ...]')
    return content


def _listed_case(entry: Any, number: int, source: str, base: str, roles: Sequence[str]) -> Case:
    needed = ("case", "scan", *roles)
    texts = entry if isinstance(entry, dict) else {}
    missing = [name for name in needed if not isinstance(texts.get(name), str) or not texts[name].strip()]
    if missing:
        raise InputError(f"{source}: entry {number} has no '{missing[0]}'; each needs {', '.join(needed)}")
    name = unicodedata.normalize("NFC", texts["case"].strip())
    if name.startswith(".") or not all(c.isalnum() or c in "._- " for c in name):
        raise InputError(f"{source}: entry {number}: '{name}' cannot be a file's name; use letters, digits, . _ -")
    inputs = {role: _place(texts[role].strip(), base) for role in ("scan", *roles)}
    return Case(
        name, inputs, str(texts.get("series") or "").strip() or None, _stack(texts.get("stack"), number, source)
    )


def _stack(value: Any, number: int, source: str) -> int | None:
    text = "" if value is None else str(value).strip()
    if text and not (text.isascii() and text.isdigit() and int(text) > 0):
        raise InputError(f"{source}: entry {number}: stack '{text}' is no number from 1; ivos info lists the stacks")
    return int(text) if text else None


def _place(text: str, base: str) -> str:
    if is_address(text):
        return text
    return f"{base}/{text}" if is_address(base) else str(Path(base, text))
