"""Writing files so that they are whole or not there."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator


def suffix_of(path: Path) -> str:
    """The file's suffix in lower case, ``.nii.gz`` as one."""
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else path.suffix.lower()


def stem_of(path: Path) -> str:
    """The file's name without that suffix."""
    return path.name[: len(path.name) - len(suffix_of(path))]


_LEFT_BY_SYSTEM = frozenset(
    (
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "icon\r",
        "__macosx",
        "$recycle.bin",
        "system volume information",
        "@eadir",
    )
)


def left_by_system(path: Path) -> bool:
    """Whether a path is hidden, or of what operating systems and file servers leave in folders: no data in any case.

    ``._x`` and ``.DS_Store`` come from Macs, ``Thumbs.db`` and ``desktop.ini`` from Windows. Every part of the path
    counts: give it relative to the folder that is looked into.
    """
    return any(part.startswith(".") or part.lower() in _LEFT_BY_SYSTEM for part in path.parts)


def entries_of(folder: Path) -> list[Path]:
    """The files and folders in a folder, by name, without what is :func:`left_by_system`."""
    return [path for path in sorted(folder.iterdir()) if not left_by_system(Path(path.name))]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends well, and is gone otherwise.

    Raises:
        InputError: the folder cannot be made or written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.mkdtemp(prefix=".ivos-", dir=path.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot be written here: {error.strerror}") from error
    temporary = Path(folder) / path.name  # its own folder, so that the name and so the format stay as they are
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
        Path(folder).rmdir()


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """An empty folder that takes the place of ``folder`` when the block ends well, and is gone otherwise.

    Raises:
        InputError: the folder cannot be made or written to.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".ivos-", dir=folder.parent))
    except OSError as error:
        raise InputError(f"{folder}: cannot be written here: {error.strerror}") from error
    temporary, old = work / "new", work / "old"
    temporary.mkdir()
    try:
        yield temporary
        if folder.exists():
            folder.replace(old)
        temporary.replace(folder)
    finally:
        if old.exists() and not folder.exists():
            old.replace(folder)
        shutil.rmtree(work)
