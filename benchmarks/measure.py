"""Time and peak memory of a function, in a process of its own so that nothing else counts."""

from __future__ import annotations

import multiprocessing
import resource
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection


@dataclass(frozen=True)
class Measured:
    """What a function gave and what it took.

    Attributes:
        result: its result.
        seconds: its duration, without the start of its process.
        peak_mb: the most memory that its process held, libraries included.
    """

    result: Any
    seconds: float
    peak_mb: float


def measure_call(function: Callable[..., Any], *arguments: Any) -> Measured:
    """Run ``function(*arguments)`` in a fresh process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(theirs, function, arguments))
    process.start()
    theirs.close()
    try:
        found: Measured = ours.recv()
    finally:
        process.join()
    return found


def _run(pipe: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    started = time.perf_counter()
    result = function(*arguments)
    seconds = time.perf_counter() - started
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pipe.send(Measured(result, seconds, peak_kb / 1024))


def markdown(columns: list[str], rows: list[list[str]]) -> str:
    """A table that stands in the docs as it is printed."""
    lines = [columns, [":--", *["--:"] * (len(columns) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
