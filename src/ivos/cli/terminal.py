"""What the commands share at the terminal: lines, tables, progress, JSON, sizes. Nothing else prints.

What comes from data, names of structures, cases and files above all, goes through :mod:`ivos.cli.text`.
"""

from __future__ import annotations

import json
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from ivos.cli.text import plain, printable, rich_text
from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.table import Table

    from ivos.types import Progress as ReportProgress

_WIDEST = 100_000  # columns of a table that is not for a terminal
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


@contextmanager
def progress_bar(what: str, *, shown: bool = True) -> Iterator[ReportProgress]:
    """A bar on stderr with the time left; gives the function to call with what is done and what there is to do."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    words = TextColumn("{task.description}", markup=False)
    columns = (words, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not shown or not console.is_terminal, transient=True) as bar:
        task = bar.add_task(printable(what, sys.stderr), total=None)

        def update(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield update


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on stdout; the first column holds words, the others figures. In a file or pipe its lines stay whole."""
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


def add_row(table: Table, cells: Sequence[str], stream: TextIO) -> None:
    """Put a row into a table that goes to a stream."""
    table.add_row(*(rich_text(cell, stream) for cell in cells))


def print_line(text: str) -> None:
    """A line on stdout."""
    sys.stdout.write(f"{printable(text, sys.stdout)}\n")


def print_error(text: str) -> None:
    """A line on stderr, whatever line breaks the text has."""
    sys.stderr.write(f"{printable(one_line(text), sys.stderr)}\n")


def print_count(what: str, done: int, total: int) -> None:
    """How far something is, over and over on one line of stderr; nothing where that is no terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{printable(what, sys.stderr)}: {done} of {total}" + "\n" * (done == total))


def one_line(text: str) -> str:
    """A text with spaces for its line breaks, as errors of libraries have them."""
    return plain(re.sub(r"\s*[\r\n]\s*", " ", text.strip()))


def print_json(content: Any) -> None:
    """JSON on stdout, for scripts."""
    sys.stdout.write(json.dumps(content, indent=1, allow_nan=False) + "\n")


def numbers(text: str) -> list[int]:
    """Whole numbers from ``1,4,7-9``.

    Raises:
        InputError: something else.
    """
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if match is None:
            raise InputError(f"'{text}': give whole numbers and ranges, like 1,4,7-9")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first or last - first > 1_000_000:
            raise InputError(f"'{text}': {part.strip()} is not a range from low to high")
        found += range(first, last + 1)
    return found


def size_bytes(text: str) -> int:
    """Bytes from ``2GB``, ``500 MiB`` or a plain number.

    Raises:
        InputError: something else.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]i?)?b?\s*", text.lower())
    if match is None or float(match[1]) <= 0:
        raise InputError(f"'{text}' is not a size; write it like 2GB or 500MB")
    return int(float(match[1]) * _UNITS[match[2] or ""])
