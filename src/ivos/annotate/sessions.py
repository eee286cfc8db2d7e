"""The scans that are open, within a budget of memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from ivos.annotate.messages import Memory
from ivos.annotate.opened import OpenScan
from ivos.annotate.restoring import check_same
from ivos.annotate.worklist import path_of
from ivos.errors import InputError
from ivos.volume.read import read
from ivos.volume.windows import with_modality

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ivos.annotate.means import Means
    from ivos.annotate.store import KeptScan
    from ivos.volume.volume import Volume
    from ivos.volume.windows import Modality

Answer = TypeVar("Answer")

BUDGET_BYTES = 4 * 10**9


class Sessions:
    """Opens scans when they are first asked for, and closes those that were not asked for longest.

    Args:
        work: the work folder.
        means: what they share.
        series: last characters of the DICOM series to take, where a folder holds several.
        stack: number of its stack to take, where it holds several.
        modality: which windows show the scans.
    """

    def __init__(
        self, work: Path, means: Means, series: str | None, stack: int | None = None, modality: Modality = "auto"
    ) -> None:
        self._series, self._stack, self._modality = series, stack, modality
        self._work, self._means = work, replace(means, memory=self._memory)
        self._open: OrderedDict[str, OpenScan] = OrderedDict()  # in the worker alone
        self._opening: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._budget_bytes = BUDGET_BYTES

    def within(self, scan: str, what: Callable[[OpenScan], Answer]) -> Answer:
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

    def close(self) -> None:
        """Close all; in the worker."""
        while self._open:
            self._open.popitem()[1].close()

    def _if_open(self, scan: str, what: Callable[[OpenScan], Answer]) -> list[Answer]:
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
        self._open[scan] = OpenScan(scan, volume, self._means)
        self._keep_to_budget(self._budget_bytes, spared=scan)

    def _read(self, kept: KeptScan) -> Volume:
        path = self.source(kept)
        try:
            return with_modality(read(path, series=self._series, stack=self._stack), self._modality)
        except InputError as error:
            raise InputError(str(error).replace(str(path), kept.name)) from error  # where it lies is nobody's business

    def _keep_to_budget(self, budget_bytes: int, spared: str | None = None) -> None:
        for scan, opened in list(self._open.items()):
            if self._memory().used_bytes <= budget_bytes:
                return
            if scan != spared and opened.job is None:
                opened.close()
                del self._open[scan]

    def _memory(self) -> Memory:
        used = sum(opened.used_bytes for opened in self._open.values())
        return Memory(used_bytes=used, budget_bytes=self._budget_bytes)
