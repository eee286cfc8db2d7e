"""What commands print: lines, tables, JSON. Nothing else in this package writes to stdout or stderr.

Names of structures, cases and files come from data. They are printed literally, never as markup, a terminal command or
an encoding error.
"""

from __future__ import annotations

import codecs
import json
import re
import sys
import unicodedata
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from rich.table import Table
    from rich.text import Text

FALLBACK = "ivos-fallback"
"""Error handler for characters that a stream's encoding lacks: a substitute, or the character's number."""

_SUBSTITUTES = {"±": "+-", "…": "..."}
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control and format characters, halves of pairs, line and paragraph ends
_JOINERS = {"\u200c", "\u200d"}  # part of words in several scripts
_WIDEST = 100_000  # columns of a table that does not go to a terminal
_NAMED = 5


def print_line(text: str) -> None:
    """Print a line to stdout."""
    sys.stdout.write(f"{printable(text, sys.stdout)}\n")


def print_error(text: str) -> None:
    """Print a single line to stderr."""
    sys.stderr.write(f"{printable(one_line(text), sys.stderr)}\n")


def print_json(content: Any) -> None:
    """Print JSON to stdout."""
    sys.stdout.write(json.dumps(content, indent=1, allow_nan=False) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table to stdout; the first column is left-aligned. Outside a terminal its lines are not wrapped."""
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table

    table = Table(header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(rich_text(column, sys.stdout), justify="left" if number == 0 else "right", overflow="fold")
    for row in rows:
        add_row(table, row, sys.stdout)
    console = Console()
    if not console.is_terminal:
        console.width = max(
            console.width, Measurement.get(console, console.options.update(width=_WIDEST), table).maximum
        )
    if title:
        console.print(rich_text(title, sys.stdout), style="italic", soft_wrap=True)
    console.print(table)


def print_windows(facts: Mapping[str, Any]) -> None:
    """Print which intensity windows were used, where only the intensities decided it.

    Args:
        facts: as from :func:`ivos.volume.windows.describe_windows`.
    """
    if facts["windows_by"] == "intensities":
        kind = "CT windows in HU" if facts["windows"] == "ct" else "windows by percentiles, as for MR"
        print_line(f"Using {kind}, judging by the intensities; choose with --modality.")


def add_row(table: Table, cells: Sequence[str], stream: TextIO) -> None:
    """Add a row to a table that goes to a stream."""
    table.add_row(*(rich_text(cell, stream) for cell in cells))


def name_some(names: Collection[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(list(names)[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def one_line(text: str) -> str:
    """A text with spaces for its line breaks, which errors of libraries may have."""
    return escape_invisible(re.sub(r"\s*[\r\n]\s*", " ", text.strip()))


def escape_invisible(text: str) -> str:
    r"""A text on one line whose invisible characters are escaped: ``\n``, ``\x1b``.

    Half a surrogate pair is how Python represents a byte of a file name that is not UTF-8.
    """
    return "".join(_escape(c) if unicodedata.category(c) in _INVISIBLE and c not in _JOINERS else c for c in text)


def printable(text: str, stream: TextIO) -> str:
    """The same, restricted to the characters of a stream's encoding."""
    stream = getattr(stream, "rich_proxied_file", stream)  # Rich's stand-in for a stream has no encoding
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return escape_invisible(text).encode(encoding, FALLBACK).decode(encoding)


def rich_text(text: str, stream: TextIO) -> Text:
    """The same for Rich, without markup, emoji and highlighting."""
    from rich.text import Text

    return Text(printable(text, stream))


def accept_all_characters(stream: TextIO | None) -> None:
    """Let a stream write all characters: by :data:`FALLBACK` those that its encoding lacks."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors=FALLBACK)


def _escape(text: str) -> str:
    return text.encode("unicode_escape", "surrogatepass").decode("ascii")


def _fall_back(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_SUBSTITUTES.get(c) or _escape(c) for c in missing), error.end


codecs.register_error(FALLBACK, _fall_back)
