"""Which scans there are."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from ivos.errors import InputError
from ivos.files import entries_of, is_system_file, stem_of, suffix_of
from ivos.io.case_names import is_named_as_labels
from ivos.io.cases import files_of, holds_files
from ivos.io.dicom.files import is_dicom
from ivos.io.registry import READABLE

if TYPE_CHECKING:
    from ivos.annotate.storage.store import Store

WORK = "ivos-work"
"""The work folder's name: beside a scan, in a folder of scans."""

_OPENED = (*READABLE, ".zip")


def work_folder_for(path: Path) -> Path:
    """The work folder of what is opened, where none is given.

    Raises:
        InputError: there is no such file or folder.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    holds_scans = path.is_dir() and scans_in(path, None) != [path]
    return (path if holds_scans else path.resolve().parent) / WORK


def scans_in(path: Path, work: Path | None) -> list[Path]:
    """The scans that a path stands for: itself, or those of a folder.

    In a folder of images every image is one whose name does not say that it holds labels; in a folder of folders every
    folder that holds DICOM files is.

    Args:
        path: a scan, a DICOM folder or a folder of scans.
        work: the work folder, which is passed over.

    Raises:
        InputError: there is none.
    """
    if not path.is_dir():
        if suffix_of(path) not in _OPENED:
            raise InputError(f"{path}: not a scan that ivos reads: {', '.join(_OPENED)}, or a folder of DICOM files")
        return [path]
    if holds_files(path) or files_of(path, (".zip",)):
        return [p for p in files_of(path, _OPENED) if not is_named_as_labels(p)]
    if any(p.is_file() and is_dicom(p) for p in entries_of(path)):
        return [path]
    own = None if work is None else work.resolve()
    folders = [p for p in entries_of(path) if p.is_dir() and p.name != WORK and p.resolve() != own]
    found = [p for p in folders if any(_is_slice(q, p) for q in p.rglob("*"))]
    if not found:
        raise InputError(f"{path}: no scans in it: {', '.join(_OPENED)} files, or folders of DICOM files")
    return [path] if len(found) == 1 else found


def _is_slice(path: Path, folder: Path) -> bool:
    return path.is_file() and not is_system_file(path.relative_to(folder)) and is_dicom(path)


def enter(store: Store, paths: list[Path], work: Path) -> list[str]:
    """Put scans on the work list; those that are on it keep what is known of them.

    Args:
        store: of the work folder.
        paths: of the scans.
        work: the work folder.

    Returns:
        Their ids: the same whenever a scan is opened from a place that is the same relative to the work folder.
    """
    ids = []
    for path in paths:
        place = Path(os.path.relpath(path.resolve(), work.resolve().parent)).as_posix()
        scan = hashlib.sha256(place.encode()).hexdigest()[:12]
        store.add_scan(scan, path.name, place)
        ids.append(scan)
    return ids


def path_of(place: str, work: Path) -> Path:
    """Where a scan of the work list is."""
    return Path(os.path.normpath(work.resolve().parent / place))


def plain_stem(name: str) -> str:
    """What files that are made of a scan are named after: its name without what file systems or browsers trip over."""
    kept = "".join(c if c.isalnum() or c in "-_." else "_" for c in unicodedata.normalize("NFC", stem_of(Path(name))))
    return kept.strip("._")[:80] or "scan"
