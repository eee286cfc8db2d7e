"""Progress on stderr: a bar for one scan, a table or a log for many."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ivos.cli.output import add_row, print_error, printable, rich_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import TracebackType

    from rich.console import Group

    from ivos.cohort.run import RunProgress
    from ivos.metrics.efficiency import Efficiency, Interval, Sampler
    from ivos.types import Progress as ReportProgress

_PERIOD_S = 30.0  # between lines of a log
_WORKERS = 16  # shown at most


@contextmanager
def progress_bar(what: str, *, shown: bool = True) -> Iterator[ReportProgress]:
    """A bar with the time left; yields the function to call with the work done and the work in all."""
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


def print_count(what: str, done: int, total: int) -> None:
    """Update a count on one line of a terminal; prints nothing elsewhere."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{printable(what, sys.stderr)}: {done} of {total}" + "\n" * (done == total))


@contextmanager
def show_run() -> Iterator[Callable[[RunProgress], None]]:
    """A table that follows a run over many scans; outside a terminal, a line every half minute.

    Cases that fail have a line each, in both.
    """
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Log()
        return
    with Live(console=console, transient=True, refresh_per_second=4) as live:

        def show(progress: RunProgress) -> None:
            if failure := _failure(progress):
                live.console.print(rich_text(failure, sys.stderr), soft_wrap=True)
            live.update(_table(progress))

        yield show


class CaseProfiler:
    """Measures the cost of every case of a run in this process, one case after the other.

    Args:
        sampler: already running.
        folder: for ``efficiency.csv`` and its plots.
    """

    def __init__(self, sampler: Sampler, folder: Path) -> None:
        self._sampler, self._folder = sampler, folder
        self._costs: dict[str, Efficiency] = {}
        self._open: AbstractContextManager[Interval] | None = None
        self._interval: Interval | None = None

    def __enter__(self) -> CaseProfiler:
        return self

    def __call__(self, progress: RunProgress) -> None:
        """Follow the run: called with every change."""
        self._close()
        ended = progress.ended
        if self._interval is not None and ended is not None and ended.kind == "done":
            self._costs[ended.case.name] = self._interval.efficiency()
        if progress.in_hand:
            self._open = self._sampler.interval()
            self._interval = self._open.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        from ivos.report.efficiency import write_efficiency

        self._close()
        if self._costs:
            write_efficiency(self._folder, self._costs)

    def _close(self) -> None:
        if self._open is not None:
            self._open.__exit__(None, None, None)
            self._open = None


class _Log:
    """A line every half minute."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, progress: RunProgress) -> None:
        if failure := _failure(progress):
            print_error(failure)
        if time.monotonic() - self._last >= _PERIOD_S:
            self._last = time.monotonic()
            print_error(f"ivos: {_line(progress)}")


def _failure(progress: RunProgress) -> str | None:
    ended = progress.ended
    return None if ended is None or ended.kind == "done" else f"ivos: {ended.case.name}: {ended.reason}"


def _table(progress: RunProgress) -> Group:
    from rich.console import Group
    from rich.table import Table

    table = Table(box=None, show_header=False)
    for worker, cases in sorted(progress.in_hand.items())[:_WORKERS]:
        add_row(table, (worker, ", ".join(cases)), sys.stderr)
    if len(progress.in_hand) > _WORKERS:
        add_row(table, (f"and {len(progress.in_hand) - _WORKERS} more", ""), sys.stderr)
    return Group(_line(progress), table)


def _line(progress: RunProgress) -> str:
    """Done, failed, speed, time left."""
    ended = progress.done + progress.failed
    parts = [f"{progress.before + progress.done} of {progress.cases} done"]
    if progress.failed:
        parts.append(f"{progress.failed} failed")
    if ended and progress.seconds > 0:
        a_minute = 60 * ended / progress.seconds
        left = progress.cases - progress.before - ended
        parts += [f"{a_minute:.3g} a minute", f"{_duration(60 * left / a_minute)} left"]
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"
