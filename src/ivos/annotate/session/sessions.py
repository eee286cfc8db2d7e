"""The scans that are open: those that somebody looks at or that something runs in, within a budget of memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from ivos.annotate.messages import Memory
from ivos.annotate.session.footprint import give_back, resident_bytes
from ivos.annotate.session.scan_session import ScanSession
from ivos.annotate.storage.restoring import check_same
from ivos.annotate.storage.worklist import path_of
from ivos.errors import InputError
from ivos.io.read import read
from ivos.volume.windows import with_modality

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from ivos.annotate.session.context import ServerContext
    from ivos.annotate.storage.store import KeptScan
    from ivos.volume.volume import Volume
    from ivos.volume.windows import Modality

Answer = TypeVar("Answer")

BUDGET_BYTES = 4 * 10**9
UNWATCHED = 2
"""Scans that no page shows and nothing runs in, and that are open all the same: a program may ask of two in turns."""

LEFT_S = 5.0
"""After the last page has left a scan it stays open for this long: a page that is loaded again comes back."""


class Sessions:
    """Opens scans when they are first asked for, and closes them when nobody needs them any more.

    A scan is closed when its last page has gone to another one; of those that are asked for without a page, all but the
    last few; and when there is no room. It opens again, with its history, when it is asked for.

    Args:
        work: the work folder.
        means: what they share.
        series: last characters of the DICOM series to take, where a folder holds several.
        stack: number of its stack to take, where it holds several.
        modality: which windows show the scans.
    """

    def __init__(
        self,
        work: Path,
        means: ServerContext,
        series: str | None,
        stack: int | None = None,
        modality: Modality = "auto",
    ) -> None:
        self._series, self._stack, self._modality = series, stack, modality
        self._work, self._means = work, replace(means, memory=self._memory)
        self._open: OrderedDict[str, ScanSession] = OrderedDict()  # in the worker alone
        self._opening: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._budget_bytes = BUDGET_BYTES
        self._timers: list[threading.Timer] = []  # of scans that were left
        means.events.when_left = self._left

    def within(self, scan: str, what: Callable[[ScanSession], Answer]) -> Answer:
        """Do something in the worker with a scan, which is opened for it if need be.

        Raises:
            InputError: there is no such scan, it cannot be read, or whatever ``what`` raises.
        """
        kept = self._means.store.scan(scan)
        while True:  # it may be closed again before its turn comes, for another one to be opened
            answers = self._means.worker.run(lambda: self._if_open(scan, what))
            if answers:
                return answers[0]
            with self._lock:
                opening = self._opening.setdefault(scan, threading.Lock())
            with opening:  # several tabs ask at once
                if not self._means.worker.run(lambda: scan in self._open):
                    self._take_up_read(kept)

    def source(self, kept: KeptScan) -> Path:
        """The file or folder of a scan."""
        return path_of(kept.place, self._work)

    def tell_if_open(self, scan: str) -> None:
        """Have everybody told how a scan is now, if it is open."""

        def tell() -> None:
            if scan in self._open:
                self._open[scan].tell_all()

        self._means.worker.run(tell)

    def set_budget(self, budget_bytes: int, spared: str) -> None:
        """State what open scans may take, one of which stays open anyway; in the worker."""
        self._budget_bytes = budget_bytes
        self._keep_to_budget(budget_bytes, spared)

    def close_others(self, scan: str) -> None:
        """Close all scans but one in which nothing runs; they open again when they are asked for. In the worker."""
        self._keep_to_budget(0, spared=scan)
        give_back()

    def close(self) -> None:
        """Close all; in the worker."""
        self._means.events.when_left = None
        for timer in self._timers:
            timer.cancel()
        while self._open:
            self._open.popitem()[1].close()

    @property
    def open_scans(self) -> tuple[str, ...]:
        """Their ids, the one that was asked for last at the end."""
        return tuple(self._open)

    def _if_open(self, scan: str, what: Callable[[ScanSession], Answer]) -> list[Answer]:
        """The answer, if the scan is open."""
        if scan not in self._open:
            return []
        self._open.move_to_end(scan)
        return [what(self._open[scan])]

    def _take_up_read(self, kept: KeptScan) -> None:
        """Read a scan, which others need not wait for, and take up its session."""
        volume = self._read(kept)
        check_same(self._means.store, kept.id, volume)
        self._means.worker.run(lambda: self._take_up(kept.id, volume))

    def _take_up(self, scan: str, volume: Volume) -> None:
        self._open[scan] = ScanSession(scan, volume, self._means)
        unwatched = [other for other in self._open if other != scan and not self._is_needed(other)]
        self._close_some(unwatched[: max(0, len(unwatched) - UNWATCHED)])
        self._keep_to_budget(self._budget_bytes, spared=scan)

    def _read(self, kept: KeptScan) -> Volume:
        path = self.source(kept)
        try:
            return with_modality(read(path, series=self._series, stack=self._stack), self._modality)
        except InputError as error:
            raise InputError(str(error).replace(str(path), kept.name)) from error  # where it lies is nobody's business

    def _keep_to_budget(self, budget_bytes: int, spared: str | None = None) -> None:
        by_need = sorted(self._open, key=self._means.events.is_followed)  # those that a page shows go last
        for scan in by_need:
            if resident_bytes() <= budget_bytes:
                return
            if scan != spared and self._open[scan].job is None:
                self._close_some([scan])

    def _close_some(self, scans: Iterable[str]) -> None:
        """Close scans, and have the system take back what they held; in the worker."""
        for scan in scans:
            self._open.pop(scan).close()
            give_back()

    def _is_needed(self, scan: str) -> bool:
        """Whether a page shows a scan, or something runs in it."""
        return self._means.events.is_followed(scan) or self._open[scan].job is not None

    def _left(self, scan: str) -> None:
        """The last page that showed a scan has gone; from any thread."""

        def look() -> None:
            with suppress(RuntimeError):  # the server has ended meanwhile
                self._means.worker.later(lambda: self._close_if_left(scan))

        timer = threading.Timer(LEFT_S, look)
        timer.daemon = True
        timer.start()
        with self._lock:
            self._timers = [*(other for other in self._timers if other.is_alive()), timer]

    def _close_if_left(self, scan: str) -> None:
        if scan not in self._open or self._means.events.is_followed(scan):
            return
        if self._open[scan].job is not None:
            self._left(scan)  # once that is over
        else:
            self._close_some([scan])

    def _memory(self) -> Memory:
        return Memory(used_bytes=resident_bytes(), budget_bytes=self._budget_bytes)
