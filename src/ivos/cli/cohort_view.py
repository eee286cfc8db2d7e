"""How far a run over a cohort is, for a person at a terminal or a log."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ivos.cli.terminal import add_row, print_error
from ivos.cli.text import rich_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import TracebackType

    from rich.console import Group

    from ivos.cohort.run import RunProgress
    from ivos.metrics.efficiency import Efficiency, Interval, Sampler

_PERIOD_S = 30.0  # of lines where no one watches
_WORKERS = 16  # shown at most


@contextmanager
def cohort_view() -> Iterator[Callable[[RunProgress], None]]:
    """A table on stderr that follows the run; where that is no terminal, a line now and then.

    Cases that fail have a line each, in both.
    """
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines()
        return
    with Live(console=console, transient=True, refresh_per_second=4) as live:

        def show(standing: RunProgress) -> None:
            if failure := _failure(standing):
                live.console.print(rich_text(failure, sys.stderr), soft_wrap=True)
            live.update(_table(standing))

        yield show


class Measured:
    """Follows a run in this process with one case after the other, and writes what each has cost.

    Args:
        sampler: at work already.
        folder: gets ``efficiency.csv`` and what goes with it.
    """

    def __init__(self, sampler: Sampler, folder: Path) -> None:
        self._sampler, self._folder = sampler, folder
        self._costs: dict[str, Efficiency] = {}
        self._open: AbstractContextManager[Interval] | None = None
        self._interval: Interval | None = None

    def __enter__(self) -> Measured:
        return self

    def __call__(self, standing: RunProgress) -> None:
        """See :func:`ivos.cohort.run.run_cohort`."""
        self._close()
        ended = standing.ended
        if self._interval is not None and ended is not None and ended.kind == "done":
            self._costs[ended.case.name] = self._interval.efficiency()
        if standing.in_hand:
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


class _Lines:
    """A line now and then."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, standing: RunProgress) -> None:
        if failure := _failure(standing):
            print_error(failure)
        if time.monotonic() - self._last >= _PERIOD_S:
            self._last = time.monotonic()
            print_error(f"ivos: {_line(standing)}")


def _failure(standing: RunProgress) -> str | None:
    ended = standing.ended
    return None if ended is None or ended.kind == "done" else f"ivos: {ended.case.name}: {ended.reason}"


def _table(standing: RunProgress) -> Group:
    from rich.console import Group
    from rich.table import Table

    table = Table(box=None, show_header=False)
    for worker, cases in sorted(standing.in_hand.items())[:_WORKERS]:
        add_row(table, (worker, ", ".join(cases)), sys.stderr)
    if len(standing.in_hand) > _WORKERS:
        add_row(table, (f"and {len(standing.in_hand) - _WORKERS} more", ""), sys.stderr)
    return Group(_line(standing), table)


def _line(standing: RunProgress) -> str:
    """One line: done, failed, how fast, and how long it will take."""
    ended = standing.done + standing.failed
    parts = [f"{standing.before + standing.done} of {standing.cases} done"]
    if standing.failed:
        parts.append(f"{standing.failed} failed")
    if ended and standing.seconds > 0:
        a_minute = 60 * ended / standing.seconds
        left = standing.cases - standing.before - ended
        parts += [f"{a_minute:.3g} a minute", f"{_duration(60 * left / a_minute)} left"]
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"
