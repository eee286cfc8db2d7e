"""Folders with a file for each case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivos.errors import InputError
from ivos.files import stem_of, suffix_of
from ivos.volume.dicom_files import is_dicom
from ivos.volume.dicom_labels import holds_dicom_labels
from ivos.volume.read import READABLE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def files_by_case(folder: Path, what: str) -> dict[str, Path]:
    """The images of a folder by case name: the file's name without suffix.

    Args:
        folder: where they are.
        what: how to call them in an error, ``"label"`` for example.

    Raises:
        InputError: no such folder, no images in it, or one case twice.
    """
    return _by_case(folder, _files(folder, READABLE), READABLE, what)


def labels_by_case(folder: Path) -> dict[str, Path]:
    """The label files of a folder by case name, DICOM Segmentations and RT Structure Sets among them.

    A name without the ``-rtstruct`` that :func:`ivos.volume.label_files.label_path` puts behind it is the case's.

    Raises:
        InputError: as :func:`files_by_case`.
    """
    suffixes = (*READABLE, ".dcm")
    held = [path for path in _files(folder, suffixes) if suffix_of(path) != ".dcm" or holds_dicom_labels(path)]
    return _by_case(folder, held, suffixes, "label")


def _files(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder}: is a file; give a folder" if folder.exists() else f"{folder}: no such folder")
    return [p for p in sorted(folder.iterdir()) if p.is_file() and suffix_of(p) in suffixes]


def _by_case(folder: Path, paths: Sequence[Path], suffixes: Sequence[str], what: str) -> dict[str, Path]:
    if not paths:
        raise InputError(f"{folder}: no {what} files ({', '.join(suffixes)})")
    cases: dict[str, Path] = {}
    for path in paths:
        case = stem_of(path).removesuffix("-rtstruct") if suffix_of(path) == ".dcm" else stem_of(path)
        if case in cases:
            raise InputError(f"{path}: the case '{case}' is there twice, as {cases[case].name} too")
        cases[case] = path
    return cases


def scans_by_case(folder: Path) -> dict[str, Path]:
    """The scans of a folder by case name, without the ``_0000`` that nnU-Net and FLARE22 end a scan's name with.

    Where no scan is a file by itself, each folder with DICOM files in it and each zip file is one.

    Raises:
        InputError: as :func:`files_by_case`.
    """
    series = (
        [] if not folder.is_dir() or holds_files(folder) else [p for p in sorted(folder.iterdir()) if _is_series(p)]
    )
    named = [(stem_of(path) if path.is_file() else path.name, path) for path in series]
    cases: dict[str, Path] = {}
    for name, path in named or files_by_case(folder, "scan").items():
        case = name.removesuffix("_0000")
        if case in cases:
            raise InputError(f"{path}: the case '{case}' is there twice, as {cases[case].name} too")
        cases[case] = path
    return cases


def _is_series(path: Path) -> bool:
    if path.is_dir():
        return any(is_dicom(file) for file in path.rglob("*") if file.is_file())
    return suffix_of(path) == ".zip"


def holds_files(folder: Path) -> bool:
    """Whether a folder holds images, one for each case, rather than the slices of a DICOM series."""
    return folder.is_dir() and any(p.is_file() and suffix_of(p) in READABLE for p in folder.iterdir())
