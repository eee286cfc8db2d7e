"""Whether the files that a case was done with are still as they were written: by size and checksum."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ivos.files import flush

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_BLOCK = 1 << 20


@dataclass(frozen=True)
class FileFacts:
    """What is known of a file that was written.

    Attributes:
        size_bytes: its size.
        sha256: its checksum, in hexadecimal digits.
    """

    size_bytes: int
    sha256: str


def facts_of(folder: Path, paths: Iterable[str]) -> dict[str, FileFacts]:
    """Facts of files below a folder, by path, once the disk has them.

    Raises:
        OSError: one is not there or cannot be read.
    """
    found = {}
    for path in paths:
        flush(folder / path)
        flush((folder / path).parent)
        found[path] = _facts(folder / path)
    return found


def damage(folder: Path, path: str, before: FileFacts | None) -> str | None:
    """What became of a file that was written, in a few words; None where it is as it was.

    Args:
        folder: the output folder.
        path: of the file below it.
        before: facts from when it was written; None where an earlier version of ivos noted none.
    """
    file = folder / path
    if not file.is_file():
        return "is gone"
    size_bytes = file.stat().st_size
    if size_bytes == 0 and (before is None or before.size_bytes):
        return "is empty"
    if before is None:
        return None
    if size_bytes != before.size_bytes:
        return f"has {size_bytes:,} bytes, and was written with {before.size_bytes:,}"
    return None if _facts(file) == before else "has other content than was written"


def put_aside(file: Path) -> Path | None:
    """Rename a file that is about to be written again, so that what someone may have put into it is not lost.

    Returns:
        Its new name, ``NAME.changed`` with a number where that is taken; None where it is empty or not there.
    """
    if not file.is_file() or file.stat().st_size == 0:
        return None
    aside, number = file.with_name(f"{file.name}.changed"), 1
    while aside.exists():
        number += 1
        aside = file.with_name(f"{file.name}.changed-{number}")
    return file.rename(aside)


def as_json(facts: Mapping[str, FileFacts]) -> dict[str, list[int | str]]:
    """Facts as JSON can hold them."""
    return {path: [of.size_bytes, of.sha256] for path, of in facts.items()}


def from_json(content: Mapping[str, tuple[int, str]]) -> dict[str, FileFacts]:
    """The facts that :func:`as_json` has made into JSON."""
    return {path: FileFacts(*values) for path, values in content.items()}


def _facts(file: Path) -> FileFacts:
    digest, size_bytes = hashlib.sha256(), 0
    with file.open("rb") as content:
        while block := content.read(_BLOCK):
            digest.update(block)
            size_bytes += len(block)
    return FileFacts(size_bytes, digest.hexdigest())
