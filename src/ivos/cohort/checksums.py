"""Whether a case's inputs are the ones that they were: by names, sizes and times, without reading them.

To read thousands of scans before the first one is worked on would take longer than many jobs. A scan that is replaced
by one of the same name and size in the same nanosecond is taken for the same; a folder that is moved as a whole, with
its times, stays what it was.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ivos.errors import InputError
from ivos.files import is_system_file
from ivos.io.remote import fingerprint, is_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ivos.pipelines.protocol import Case


class InputChecksums:
    """Checksums of the inputs of cases; a folder that several of them share is looked at once."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}

    def of(self, case: Case) -> str:
        """The checksum of a case, in hexadecimal digits."""
        told = [f"{role}={self._place(place)}" for role, place in sorted(case.inputs.items())]
        return hashlib.sha256("\n".join([*told, case.part]).encode()).hexdigest()

    def _place(self, place: str) -> str:
        if place not in self._seen:
            self._seen[place] = _of_address(place) if is_address(place) else _digest(_files(Path(place)))
        return self._seen[place]


def _of_address(address: str) -> str:
    try:
        return fingerprint(address)
    except (InputError, OSError):  # what is wrong with it is told when it is read
        return "not there"


def _files(path: Path) -> Iterator[str]:
    """A line for each file; none where there is nothing."""
    if path.is_file():
        status = path.stat()
        yield f"{path.name} {status.st_size} {status.st_mtime_ns}"
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not is_system_file(Path(name)))
        for name in sorted(names):
            if is_system_file(Path(name)):
                continue
            file = Path(folder, name)
            try:
                status = file.stat()
            except FileNotFoundError:  # a link to nothing, or gone just now
                continue
            yield f"{file.relative_to(path)} {status.st_size} {status.st_mtime_ns}"


def _digest(lines: Iterator[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode())
    return digest.hexdigest()
