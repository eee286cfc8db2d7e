"""Folders with a file for each case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivos.errors import InputError
from ivos.files import stem_of, suffix_of
from ivos.volume.read import READABLE

if TYPE_CHECKING:
    from pathlib import Path


def files_by_case(folder: Path, what: str) -> dict[str, Path]:
    """The images of a folder by case name: the file's name without suffix.

    Args:
        folder: where they are.
        what: how to call them in an error, ``"label"`` for example.

    Raises:
        InputError: no such folder, no images in it, or one case twice.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: is a file; give a folder" if folder.exists() else f"{folder}: no such folder")
    paths = [p for p in sorted(folder.iterdir()) if p.is_file() and suffix_of(p) in READABLE]
    if not paths:
        raise InputError(f"{folder}: no {what} files ({', '.join(READABLE)})")
    cases: dict[str, Path] = {}
    for path in paths:
        if stem_of(path) in cases:
            raise InputError(f"{path}: the case '{stem_of(path)}' is there twice, as {cases[stem_of(path)].name} too")
        cases[stem_of(path)] = path
    return cases


def scans_by_case(folder: Path) -> dict[str, Path]:
    """The scans of a folder by case name, without the ``_0000`` that nnU-Net and FLARE22 end a scan's name with.

    Raises:
        InputError: as :func:`files_by_case`.
    """
    cases: dict[str, Path] = {}
    for name, path in files_by_case(folder, "scan").items():
        case = name.removesuffix("_0000")
        if case in cases:
            raise InputError(f"{path}: the case '{case}' is there twice, as {cases[case].name} too")
        cases[case] = path
    return cases


def holds_files(folder: Path) -> bool:
    """Whether a folder holds images, one for each case, rather than the slices of a DICOM series."""
    return folder.is_dir() and any(p.is_file() and suffix_of(p) in READABLE for p in folder.iterdir())
