"""What is kept of the work on scans: one SQLite file in the work folder, written before anything is acknowledged."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Literal, cast

from ivos.annotate.errors import NotFoundError, StorageFullError
from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ivos.annotate.messages import ScanState

Kind = Literal["step", "part", "end", "undo", "redo", "beside", "beside undo", "beside redo", "state"]
"""Something that was done; a finished part of something that goes on, and its last part; the last step undone, or done
again; the same three beside something that goes on between two of its parts; how far the scan is."""

_FORM = 1  # of the tables, as SQLite's user_version
_TABLES = """
CREATE TABLE scan (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, place TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'new',
    changed TEXT, checksum TEXT);
CREATE TABLE entry (
    number INTEGER PRIMARY KEY AUTOINCREMENT, scan TEXT NOT NULL REFERENCES scan (id),
    kind TEXT NOT NULL, what TEXT NOT NULL, who TEXT NOT NULL, at TEXT NOT NULL, step TEXT, patches BLOB);
CREATE INDEX entry_of_scan ON entry (scan, number);
CREATE TABLE snapshot (
    scan TEXT PRIMARY KEY REFERENCES scan (id), entry INTEGER NOT NULL, content BLOB NOT NULL);
"""


@dataclass(frozen=True)
class KeptScan:
    """A scan of the work list.

    Attributes:
        id: its own, for ever.
        name: what a person sees.
        place: where it is, relative to the folder that holds the work folder.
        state: how far it is.
        changed: when it changed last, ISO 8601.
        checksum: of its intensities; None before it was opened.
    """

    id: str
    name: str
    place: str
    state: ScanState
    changed: str | None
    checksum: str | None


@dataclass(frozen=True)
class Entry:
    """A line of a scan's journal.

    Attributes:
        number: ascending over all scans.
        kind: of entry.
        what: was asked for, as JSON.
        who: asked.
        at: when, ISO 8601.
        step: what it changed, as JSON; None for kinds that change nothing by themselves, and once a snapshot holds it.
        patches: the data of that.
    """

    number: int
    kind: Kind
    what: str
    who: str
    at: str
    step: str | None
    patches: bytes | None


class Store:
    """The file of a work folder. It may be used from any thread.

    Args:
        path: of the file; made if it is not there.

    Raises:
        InputError: another server has it open, it is damaged or of another version, or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        try:
            self._connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # ends with the process, however that ends
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")  # a commit is on the disk when it returns
            with self._transaction():
                self._prepare(path)
        except sqlite3.DatabaseError as error:
            raise InputError(f"{path.parent}: {_reason(error)}") from error

    def _prepare(self, path: Path) -> None:
        """Make the tables; within a transaction, so that a second server is refused here if not before."""
        (form,) = self._connection.execute("PRAGMA user_version").fetchone()
        if form == 0:
            for statement in _TABLES.split(";\n")[:-1]:
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {_FORM}")
        elif form != _FORM:
            raise InputError(f"{path}: written by another version of ivos; take that one, or another --work folder")

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    def scans(self) -> list[KeptScan]:
        """All scans, by name."""
        with self._lock:
            rows = self._connection.execute(f"SELECT {_SCAN} FROM scan ORDER BY name, id").fetchall()  # noqa: S608
        return [KeptScan(*row) for row in rows]

    def scan(self, scan: str) -> KeptScan:
        """A scan by its id.

        Raises:
            NotThereError: there is none.
        """
        with self._lock:
            row = self._connection.execute(f"SELECT {_SCAN} FROM scan WHERE id = ?", (scan,)).fetchone()  # noqa: S608
        if row is None:
            raise NotFoundError(f"scan '{scan[:40]}': there is none of that id; look at the work list")
        return KeptScan(*row)

    def add_scan(self, scan: str, name: str, place: str) -> None:
        """Add a scan to the work list, unless it is there.

        Raises:
            NotKeptError: the disk is full.
        """
        with self._kept():
            self._connection.execute(
                "INSERT OR IGNORE INTO scan (id, name, place) VALUES (?, ?, ?)", (scan, name, place)
            )

    def rename(self, scan: str, name: str) -> None:
        """Call a scan otherwise.

        Raises:
            NotKeptError: the disk is full.
        """
        with self._kept():
            self._connection.execute("UPDATE scan SET name = ? WHERE id = ?", (name, scan))

    def set_checksum(self, scan: str, checksum: str) -> None:
        """Remember which scan it is.

        Raises:
            NotKeptError: the disk is full.
        """
        with self._kept():
            self._connection.execute("UPDATE scan SET checksum = ? WHERE id = ?", (checksum, scan))

    def set_state(self, scan: str, state: ScanState, who: str) -> None:
        """Say how far a scan is.

        Raises:
            NotKeptError: the disk is full.
        """
        with self._kept():
            self._insert(scan, "state", f'{{"state": "{state}"}}', who)
            self._connection.execute("UPDATE scan SET state = ? WHERE id = ?", (state, scan))

    def append(
        self, scan: str, kind: Kind, what: str, who: str, *, step: str | None = None, patches: bytes | None = None
    ) -> int:
        """Write an entry; it is on the disk when this returns. A new scan is in work from then on.

        Returns:
            Its number.

        Raises:
            NotKeptError: the disk is full; nothing of it was written.
        """
        with self._kept():
            number = self._insert(scan, kind, what, who, step, patches)
            self._connection.execute("UPDATE scan SET state = 'in work' WHERE id = ? AND state = 'new'", (scan,))
        return number

    def _insert(
        self, scan: str, kind: Kind, what: str, who: str, step: str | None = None, patches: bytes | None = None
    ) -> int:
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        row = (scan, kind, what, who, now, step, patches)
        done = self._connection.execute(
            "INSERT INTO entry (scan, kind, what, who, at, step, patches) VALUES (?, ?, ?, ?, ?, ?, ?)", row
        )
        self._connection.execute("UPDATE scan SET changed = ? WHERE id = ?", (now, scan))
        return cast("int", done.lastrowid)

    def last_entry(self, scan: str) -> int:
        """The number of a scan's last entry, 0 before the first."""
        with self._lock:
            (number,) = self._connection.execute("SELECT max(number) FROM entry WHERE scan = ?", (scan,)).fetchone()
        return number or 0

    def entries(self, scan: str, after: int = 0) -> Iterator[Entry]:
        """The entries of a scan after one of them, in order."""
        while True:  # one at a time: together they may be large
            with self._lock:
                row = self._connection.execute(
                    "SELECT number, kind, what, who, at, step, patches FROM entry WHERE scan = ? AND number > ? "
                    "ORDER BY number LIMIT 1",
                    (scan, after),
                ).fetchone()
            if row is None:
                return
            yield Entry(*row)
            after = row[0]

    def requests(self, scan: str) -> list[Entry]:
        """All entries of a scan, in order, without what they have changed."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT number, kind, what, who, at, NULL, NULL FROM entry WHERE scan = ? ORDER BY number", (scan,)
            ).fetchall()
        return [Entry(*row) for row in rows]

    def snapshot(self, scan: str) -> tuple[int, bytes] | None:
        """The last snapshot of a scan and the entry that it was taken after; None if there is none."""
        with self._lock:
            row = self._connection.execute("SELECT entry, content FROM snapshot WHERE scan = ?", (scan,)).fetchone()
        return row if row is None else (row[0], row[1])

    def entries_since_snapshot(self, scan: str) -> int:
        """How many entries a scan has after its last snapshot."""
        with self._lock:
            (count,) = self._connection.execute(
                "SELECT count(*) FROM entry WHERE scan = ?1 AND number > "
                "coalesce((SELECT entry FROM snapshot WHERE scan = ?1), 0)",
                (scan,),
            ).fetchone()
        return int(count)

    def write_snapshot(self, scan: str, entry: int, content: bytes) -> None:
        """Keep a snapshot instead of what the entries before it changed; the entries themselves stay.

        Raises:
            NotKeptError: the disk is full; all is as it was.
        """
        with self._kept():
            self._connection.execute("INSERT OR REPLACE INTO snapshot VALUES (?, ?, ?)", (scan, entry, content))
            self._connection.execute(
                "UPDATE entry SET step = NULL, patches = NULL WHERE scan = ? AND number <= ? AND step IS NOT NULL",
                (scan, entry),
            )

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """All of the block is on the disk, or nothing of it.

        Raises:
            NotKeptError: nothing.
        """
        try:
            with self._lock, self._transaction():
                yield
        except sqlite3.Error as error:
            raise StorageFullError(f"this was not done, because it could not be written: {_reason(error)}") from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # SQLite has rolled back by itself when the disk is full
                self._connection.execute("ROLLBACK")
            raise


_SCAN = "id, name, place, state, changed, checksum"


def _reason(error: sqlite3.Error) -> str:
    """One line from SQLite's."""
    text = str(error)
    if "locked" in text:
        return "another ivos annotate works in this work folder; use that one, stop it, or give another --work folder"
    if "full" in text or "I/O" in text:
        return f"the work folder's disk is full or fails ({text}); make room, and do it again"
    if "readonly" in text or "unable to open" in text:
        return f"the work folder cannot be written to ({text}); give another --work folder"
    return f"the work folder's store is damaged ({text}); put a copy of it back, or give another --work folder"
