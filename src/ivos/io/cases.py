"""Folders with a file for each case: which files are scans, which are labels, and what is there beside them.

Names are read by :mod:`ivos.io.case_names`. What an operating system leaves behind is passed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivos.errors import InputError
from ivos.files import entries_of, is_system_file, suffix_of
from ivos.io.case_names import case_name, case_of, is_named_as_labels
from ivos.io.dicom.files import is_dicom
from ivos.io.dicom.labels import holds_dicom_labels
from ivos.io.registry import READABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

_NAMED = 3


def labels_by_case(folder: Path) -> dict[str, Path]:
    """The label files of a folder by case name, DICOM Segmentations and RT Structure Sets among them.

    A scan and its labels may lie in one folder: where a case has a file that is named as labels beside one that is not,
    the files that are not named so are scans, and passed over.

    Raises:
        InputError: no such folder, no labels in it, or two label files of one case.
    """
    images, dicom = files_of(folder, READABLE), [p for p in files_of(folder, (".dcm",)) if holds_dicom_labels(p)]
    named = [path for path in images if is_named_as_labels(path)]
    labelled = {case_of(path) for path in named}
    beside_scans = any(case_of(path) in labelled for path in images if path not in named)
    return _by_case(folder, [*(named if beside_scans else images), *dicom], "label", (*READABLE, ".dcm"))


def scans_by_case(folder: Path) -> dict[str, Path]:
    """The scans of a folder by case name; files that are named as labels are none.

    Where no scan is a file by itself, each folder with DICOM files in it and each zip file is one.

    Raises:
        InputError: no such folder, no scans in it, or two scans of one case.
    """
    series = [] if not folder.is_dir() or holds_files(folder) else [p for p in entries_of(folder) if _is_series(p)]
    if series:
        return _by_case(folder, series, "scan", (".zip",), lambda p: case_of(p) if p.is_file() else case_name(p.name))
    files = files_of(folder, READABLE)
    scans = [path for path in files if not is_named_as_labels(path)]
    if files and not scans:
        some = ", ".join(path.name for path in files[:_NAMED]) + ", ..." * (len(files) > _NAMED)
        raise InputError(f"{folder}: no scan files: all are named as labels: {some}")
    return _by_case(folder, scans, "scan", READABLE)


def holds_files(folder: Path) -> bool:
    """Whether a folder holds images, one for each case, rather than the slices of a DICOM series.

    Labels alone do not count: they may lie beside the series.
    """
    return folder.is_dir() and any(not is_named_as_labels(path) for path in files_of(folder, READABLE))


def files_of(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """The files in a folder with one of some suffixes, by name, without what an operating system leaves behind.

    Raises:
        InputError: no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: is a file; give a folder" if folder.exists() else f"{folder}: no such folder")
    return [path for path in entries_of(folder) if path.is_file() and suffix_of(path) in suffixes]


def _by_case(
    folder: Path,
    paths: Iterable[Path],
    what: str,
    suffixes: Sequence[str],
    name: Callable[[Path], str] = case_of,
) -> dict[str, Path]:
    cases: dict[str, Path] = {}
    for path in paths:
        case = name(path)
        if case in cases:
            raise InputError(f"{path}: the case '{case}' is there twice, as {cases[case].name} too")
        cases[case] = path
    if not cases:
        raise InputError(f"{folder}: no {what} files ({', '.join(suffixes)})")
    return cases


def _is_series(path: Path) -> bool:
    if path.is_dir():
        files = (file for file in path.rglob("*") if not is_system_file(file.relative_to(path)))
        return any(is_dicom(file) for file in files if file.is_file())
    return suffix_of(path) == ".zip"
