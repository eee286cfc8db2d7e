"""All that stands behind the server's addresses: the store, the scans, the worker, and the work folder."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ivos.annotate.errors import ConflictError, StorageFullError
from ivos.annotate.messages import Memory, ScanSummary
from ivos.annotate.server.uploads import kept_if_harmless
from ivos.annotate.session.auto_segment import AutoSegmentJob
from ivos.annotate.session.context import ServerContext
from ivos.annotate.session.events import Events
from ivos.annotate.session.sessions import Sessions
from ivos.annotate.session.volumes import write_image
from ivos.annotate.session.worker import Worker
from ivos.annotate.storage.export import file_name, write_journal, write_labels
from ivos.annotate.storage.store import Store
from ivos.annotate.storage.worklist import enter
from ivos.errors import InputError
from ivos.io.read import read, read_labels

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ivos.annotate.messages import Done, ExportFormat, Job
    from ivos.annotate.session.networks import Networks
    from ivos.annotate.session.scan_session import ScanSession
    from ivos.annotate.storage.store import KeptScan
    from ivos.volume.windows import Modality

_STORE = "ivos.sqlite3"
_NO_ROOM_BYTES = 2**20


class Service:
    """One work folder, open.

    Args:
        work: the folder; made if it is not there.
        scans: to be put on its work list.
        networks: what computes.
        series: last characters of the DICOM series to take, where a folder holds several.
        stack: number of its stack to take, where it holds several.
        modality: which windows show the scans; ``"auto"`` goes by each scan.

    Attributes:
        store: of the folder.
        events: of all scans.
        sessions: the open ones.
        uploads: where uploaded files go.
        unreadable: scans that did not open when they were to be offered, with time and size of their files then.

    Raises:
        InputError: another server works there, or it cannot be written to.
    """

    def __init__(
        self,
        work: Path,
        scans: Sequence[Path],
        networks: Networks,
        series: str | None = None,
        stack: int | None = None,
        modality: Modality = "auto",
    ) -> None:
        self._series, self._stack = series, stack
        self.work, self.uploads = work, work / "uploads"
        self._temporary, self._cache = work / "tmp", work / "cache"
        try:
            work.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{work}: cannot be made: {error.strerror}; give another --work folder") from error
        self.store, self.events = Store(work / _STORE), Events()  # from here on the folder is ours alone
        shutil.rmtree(self._temporary, ignore_errors=True)  # what a server left that was killed
        for folder in (self.uploads, self._temporary, self._cache):
            folder.mkdir(exist_ok=True)
        self._worker, self._find = Worker(), networks.find
        means = ServerContext(
            self.store,
            self.events,
            self._worker,
            self._temporary,
            networks.engine,
            networks.strokes,
            lambda: Memory(used_bytes=0, budget_bytes=0),
            finds=networks.find is not None,
        )
        self.sessions = Sessions(work, means, series, stack, modality)
        self.unreadable: dict[str, tuple[int, int] | None] = {}
        enter(self.store, list(scans), work)

    def close(self) -> None:
        """End what runs, and let go of the folder. Everything that was acknowledged is on the disk already."""
        self.events.close()
        try:
            self._worker.run(self.sessions.close)
        finally:
            self._worker.close()
            self.store.close()

    def add_upload(self, name: str, path: Path) -> ScanSummary:
        """Put an uploaded scan on the work list.

        Raises:
            InputError: it cannot be read, or not without harm; then the file is gone.
        """
        with kept_if_harmless(path, name):
            read(
                path, series=self._series, stack=self._stack
            )  # once, so that nothing is on the list that does not open
            (scan,) = enter(self.store, [path], self.work)
            self.store.rename(scan, name)
        return summary(self.store.scan(scan))

    def load(self, scan: str, name: str, path: Path, who: str, *, drawn: bool) -> Done:
        """Take uploaded labels into a scan; the file is gone afterwards.

        Raises:
            InputError: they cannot be read, or are on another grid.
        """
        try:
            with kept_if_harmless(path, name):
                labels = read_labels(path)
                return self.sessions.within(scan, lambda opened: opened.load(labels, who, drawn=drawn, name=name))
        finally:
            path.unlink(missing_ok=True)

    def find(self, scan: str, who: str) -> Job:
        """Begin to look for organs.

        Raises:
            ConflictError: there are no networks for it, or something runs already.
        """
        finder = self._find
        if finder is None:
            raise ConflictError("no reference networks are here: start with --reference and their weights")

        def begin(opened: ScanSession) -> Job:
            job = AutoSegmentJob(opened, self._worker, finder, who)
            opened.begin(job)
            job.start()
            return job.message

        return self.sessions.within(scan, begin)

    def image(self, scan: str) -> Path:
        """The scan's intensities as a NIfTI file, made once."""
        path = self._cache / f"{self.store.scan(scan).id}.nii.gz"
        if not path.exists():
            volume = self.sessions.within(scan, lambda opened: opened.volume)
            write_image(path, volume)
        return path

    def clear_memory(self, scan: str) -> None:
        """Let go of what can be had again: other scans in which nothing runs, and made images."""
        self.sessions.within(scan, lambda _: self.sessions.close_others(scan))
        for path in self._cache.glob("*.nii.gz"):
            path.unlink(missing_ok=True)

    @contextmanager
    def exported(self, scan: str, kind: ExportFormat) -> Iterator[tuple[str, Path]]:
        """A file with a scan's labels or journal, and its name, for as long as the block lasts.

        Raises:
            InputError: it cannot be written in this format.
        """
        kept = self.store.scan(scan)
        with tempfile.TemporaryDirectory(dir=self._temporary) as folder:
            path = Path(folder, file_name(kept, kind))
            try:
                self._write(path, kind, kept)
            except InputError as error:
                full = shutil.disk_usage(folder).free < _NO_ROOM_BYTES
                kind_of_error = StorageFullError if full else type(error)
                raise kind_of_error(str(error).replace(str(path), path.name)) from error
            yield path.name, path

    def _write(self, path: Path, kind: ExportFormat, kept: KeptScan) -> None:
        if kind == "journal":
            write_journal(path, self.store, kept)
        else:
            labels = self.sessions.within(kept.id, lambda opened: opened.named_labels())
            write_labels(path, kind, labels, self.sessions.source(kept), self._series, self._stack)


def summary(kept: KeptScan) -> ScanSummary:
    """A line of the work list."""
    return ScanSummary(id=kept.id, name=kept.name, state=kept.state, changed=kept.changed)
