"""Names of structures as DICOM has room for them: 64 characters, no backslash, no control characters."""

from __future__ import annotations

import logging
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_log = logging.getLogger(__name__)

LIMIT = 64
"""Characters in DICOM's long strings (LO)."""

_GAP = "..."
_SHOWN = 3  # names in a message


def dicom_text(text: str) -> str:
    """A text as a long string may hold it: its beginning, and its end where that has no room.

    A backslash, which divides values, becomes a slash; control characters and what is no character become spaces.
    """
    plain = "".join(_replaced(character) for character in text.replace("\\", "/"))
    plain = plain.strip()
    if len(plain) <= LIMIT:
        return plain
    head = (LIMIT - len(_GAP)) // 2
    return f"{plain[:head].rstrip()}{_GAP}{plain[head + len(_GAP) - LIMIT :].lstrip()}"


def dicom_names(names: Mapping[int, str], path: Path) -> dict[int, str]:
    """Names of structures for a DICOM file, different ones where they were different; a warning says what was changed.

    Args:
        names: by label id.
        path: of the file, for the warning.
    """
    found: dict[int, str] = {}
    taken: dict[str, str] = {}  # by each text the name that it stands for; names that stay come first
    for label, name in sorted(names.items(), key=lambda item: (dicom_text(item[1]) != item[1], item[0])):
        text = dicom_text(name) or f"label {label}"
        found[label] = _distinct(text, name, taken)
        taken[found[label]] = name
    changed = [(name, found[label]) for label, name in names.items() if found[label] != name]
    if changed:
        told = ", ".join(f"{name!r} as {text!r}" for name, text in changed[:_SHOWN])
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        _log.warning(
            "%s: DICOM has room for names of %d characters without backslashes and control characters: %s%s",
            path, LIMIT, told, more,
        )  # fmt: skip
    return found


def _distinct(text: str, name: str, taken: Mapping[str, str]) -> str:
    """The text, with a number behind it where it stands for another name already."""
    number, numbered = 1, text
    while taken.get(numbered, name) != name:
        number += 1
        ending = f" ({number})"
        numbered = text[: LIMIT - len(ending)].rstrip() + ending
    return numbered


def _replaced(character: str) -> str:
    return " " if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") else character
