"""Writing files so that they are whole or not there, after a power cut too."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator


_TEMPORARY = "ivos-"  # how names of folders of temporary files begin
FULL = (errno.ENOSPC, errno.EDQUOT)
"""Errors that say that there is no room on a disk."""


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


def is_system_file(path: Path) -> bool:
    """Whether a path is hidden, or of what operating systems and file servers leave in folders: no data in any case.

    ``._x`` and ``.DS_Store`` come from Macs, ``Thumbs.db`` and ``desktop.ini`` from Windows. Every part of the path
    counts: give it relative to the folder that is looked into.
    """
    return any(part.startswith(".") or part.lower() in _LEFT_BY_SYSTEM for part in path.parts)


def entries_of(folder: Path) -> list[Path]:
    """The files and folders in a folder, by name, without what is :func:`is_system_file`."""
    return [path for path in sorted(folder.iterdir()) if not is_system_file(Path(path.name))]


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for temporary files, gone when the block ends.

    Raises:
        InputError: there is no such place, or no room in it: which place, and what to set.
    """
    try:
        # An exception holds on to what it was raised over: where it is a mapped file, Windows does not remove it.
        made = tempfile.TemporaryDirectory(prefix=_TEMPORARY, ignore_cleanup_errors=True)
    except OSError as error:
        raise _no_room(f"no temporary folder can be made ({error.strerror or error})") from error
    with made as name:
        try:
            yield Path(name)
        except OSError as error:
            place = error.filename2 or error.filename  # none where a file that was open could not grow
            if error.errno in FULL and (place is None or Path(os.fsdecode(place)).is_relative_to(name)):
                raise _no_room(f"{tempfile.gettempdir()}: no room for temporary files") from error
            raise


def _no_room(what: str) -> InputError:
    return InputError(f"{what}; free some, or set TMPDIR to a folder on another disk")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends well, and is gone otherwise.

    Raises:
        InputError: the folder cannot be made or written to, or the disk is full.
    """
    try:
        _make(path.parent)
        folder = tempfile.mkdtemp(prefix=".ivos-", dir=path.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot be written here: {error.strerror}") from error
    temporary = Path(folder) / path.name  # its own folder, so that the name and so the format stay as they are
    try:
        with _explain_full_disk(path):
            yield temporary
            flush(temporary)
        temporary.replace(path)
        flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
        Path(folder).rmdir()


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """An empty folder that takes the place of ``folder`` when the block ends well, and is gone otherwise.

    Raises:
        InputError: the folder cannot be made or written to, or the disk is full.
    """
    try:
        _make(folder.parent)
        work = Path(tempfile.mkdtemp(prefix=".ivos-", dir=folder.parent))
    except OSError as error:
        raise InputError(f"{folder}: cannot be written here: {error.strerror}") from error
    temporary, old = work / "new", work / "old"
    temporary.mkdir()
    try:
        with _explain_full_disk(folder):
            yield temporary
            for path in (*temporary.rglob("*"), temporary):
                flush(path)
        if folder.exists():
            folder.replace(old)
        temporary.replace(folder)
        flush(folder.parent)
    finally:
        if old.exists() and not folder.exists():
            old.replace(folder)
        shutil.rmtree(work)


@contextmanager
def _explain_full_disk(path: Path) -> Iterator[None]:
    """Say which file there was no room for, where the system does not."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL and error.filename is None:
            if any(
                part.match(f"{_TEMPORARY}*") and part.parent == Path(tempfile.gettempdir()) for part in path.parents
            ):
                raise _no_room(f"{tempfile.gettempdir()}: no room for temporary files") from error
            raise InputError(f"{path}: no room for it on the disk; free some, or write to another one") from error
        raise


def flush(path: Path) -> None:
    """Have the system write a file's content, or a folder's list of names, to the disk before this returns.

    Without it a file that was written and renamed may be empty after a power cut.
    """
    if os.name == "nt" and path.is_dir():  # Windows has no such thing
        return
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):  # file systems that cannot
            raise
    finally:
        os.close(descriptor)


def check_writable(folder: Path, option: str | None = None) -> None:
    """Refuse a folder that could not be made or written to; nothing of it stays.

    Args:
        folder: is going to be written to, after work that would be lost otherwise.
        option: of the command line by which it was given, for the message.

    Raises:
        InputError: it is a file, lies in one, or may not be written to.
    """
    made = []
    try:
        for part in _missing(folder):
            part.mkdir(exist_ok=True)
            made.append(part)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        elsewhere = "give another folder" + (f" with {option}" if option else "")
        raise InputError(f"{folder}: cannot be written to: {error.strerror}; {elsewhere}") from error
    finally:
        with suppress(OSError):  # another program may have put something there
            for part in reversed(made):
                part.rmdir()


def check_file_writable(path: Path, option: str | None = None) -> None:
    """The same of a file that is going to be written.

    Raises:
        InputError: it is a folder, or its folder cannot be made or written to.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give the name of a file" + (f" with {option}" if option else ""))
    check_writable(path.parent, option)


def _make(folder: Path) -> None:
    """Make a folder with those around it, each of them on the disk."""
    for part in _missing(folder):
        part.mkdir(exist_ok=True)
        flush(part.parent)


def _missing(folder: Path) -> list[Path]:
    """Which of a folder and those around it are not there, the outermost first.

    Raises:
        NotADirectoryError: one of them is a file.
    """
    missing = [part for part in (*reversed(folder.parents), folder) if not part.is_dir()]
    for part in missing:
        if part.exists():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(part))
    return missing
