"""One command over many cases: what fails is told, the others are done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ivos.cli.terminal import print_error
from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ivos.types import Progress

_NAMED = 5


def each_case(cases: Collection[str], work: Callable[[str], None], progress: Progress | None = None) -> None:
    """Do every case; one that fails has a line on stderr and keeps no other from being done.

    Args:
        cases: names.
        work: does the case of a name.
        progress: called with cases done, well or not, and cases to do.

    Raises:
        typer.Exit: with code 1 at the end, if a case failed; how many and which is said on stderr.
    """
    failed = []
    for number, case in enumerate(cases, start=1):
        try:
            work(case)
        except InputError as error:
            failed.append(case)
            print_error(f"ivos: {case}: {error}")
        except OSError as error:
            failed.append(case)
            print_error(f"ivos: {case}: {error.filename or 'file'}: {error.strerror or error}")
        if progress is not None:
            progress(number, len(cases))
    if failed:
        done = f"{len(cases) - len(failed)} of {len(cases)} done"
        print_error(f"{done}; {len(failed)} failed: {named(failed)}")
        raise typer.Exit(1)


def named(cases: Collection[str]) -> str:
    """The first few names."""
    more = len(cases) - _NAMED
    return ", ".join(list(cases)[:_NAMED]) + (f" and {more} more" if more > 0 else "")
