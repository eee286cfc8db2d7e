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
        raise InputError(f"{folder}: no such folder")
    paths = [p for p in sorted(folder.iterdir()) if p.is_file() and suffix_of(p) in READABLE]
    if not paths:
        raise InputError(f"{folder}: no {what} files ({', '.join(READABLE)})")
    cases: dict[str, Path] = {}
    for path in paths:
        if stem_of(path) in cases:
            raise InputError(f"{path}: the case '{stem_of(path)}' is there twice, as {cases[stem_of(path)].name} too")
        cases[stem_of(path)] = path
    return cases
