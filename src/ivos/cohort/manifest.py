"""What became of each case of a cohort, in one SQLite file in the output folder: what is done is not done again.

The file is locked for as long as a run lasts, which also lets it lie on a network file system. Only the process that
runs the cohort writes to it; workers know nothing of it. It says nothing of where scans lie. A case counts as done
while its files are as they were written.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from ivos.cohort.checksums import InputChecksums
from ivos.cohort.outputs import as_json, damage, from_json, put_aside
from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from ivos.cohort.backends.protocol import Outcome
    from ivos.cohort.outputs import FileFacts
    from ivos.pipelines.protocol import Case, Job

FILE = "cohort.sqlite"

State = Literal["waiting", "working", "done", "refused", "lost"]

_FORM = 2  # of the tables, as SQLite's user_version
_BEFORE = 1  # without what is known of files
_NOTED = 5  # settings or cases named in a message
_READERS = 8  # threads that look at files
_TABLES = """
CREATE TABLE job (name TEXT NOT NULL, settings TEXT NOT NULL);
CREATE TABLE cases (
    name TEXT PRIMARY KEY, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, reason TEXT, worker TEXT,
    seconds TEXT NOT NULL DEFAULT '{}', peak_bytes INTEGER NOT NULL DEFAULT 0, origin TEXT NOT NULL,
    checksum TEXT NOT NULL, outputs TEXT NOT NULL DEFAULT '{}', figures TEXT NOT NULL DEFAULT '{}',
    files TEXT NOT NULL DEFAULT '{}');
"""
_FILES = "ALTER TABLE cases ADD COLUMN files TEXT NOT NULL DEFAULT '{}'"

_LOG = logging.getLogger(__name__)


class OtherResultsError(InputError):
    """The same job, with other settings or other inputs under the same name, made what is in the folder."""


@dataclass(frozen=True)
class Row:
    """A case in the manifest.

    Attributes:
        name: the case.
        state: how far it is; "refused" cannot be used as it is, "lost" is tried again by the next run.
        attempts: how often it was begun in the run that had it last.
        reason: why it failed.
        worker: which had it last.
        seconds: what ``read``, ``work`` and ``write`` took.
        peak_bytes: largest resident memory of the worker's process until then.
        outputs: files below the output folder by role.
        figures: what the job says of it.
    """

    name: str
    state: State
    attempts: int
    reason: str | None
    worker: str | None
    seconds: Mapping[str, float]
    peak_bytes: int
    outputs: Mapping[str, str]
    figures: Mapping[str, Any]


class Manifest:
    """The manifest of an output folder, open for a run.

    Args:
        folder: the output folder; made if it is not there.
        job: what is done.
        cases: all cases of this run; those of earlier ones stay in the manifest.
        again: all of these are to be done, whatever was done before and by which settings; what other settings made of
            further cases counts as done no more.

    Attributes:
        folder: the output folder.

    Raises:
        OtherResultsError: see there.
        InputError: the folder is of another job, or another run is at work in it; it cannot be written to, or its
            manifest is damaged; a case is there twice.
    """

    def __init__(self, folder: Path, job: Job, cases: Sequence[Case], *, again: bool = False) -> None:
        self.folder = folder
        self._cases = {case.name: case for case in cases}
        if len(self._cases) < len(cases):
            twice = sorted({case.name for case in cases if sum(other.name == case.name for other in cases) > 1})
            raise InputError(f"{twice[0]}: a case of this name is there twice; give each its own")
        settings = json.dumps(job.settings(), sort_keys=True)
        self._base = _open_database(folder)
        try:
            with self._written() as base:
                self._take_settings(base, job.name, settings, again=again)
                self._take_cases(base, again=again)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Manifest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let other runs have it."""
        self._base.close()

    def waiting(self) -> list[Case]:
        """Cases of this run that are to be done, in the order in which they were given."""
        there = {name for (name,) in self._base.execute("SELECT name FROM cases WHERE state = 'waiting'")}
        return [case for name, case in self._cases.items() if name in there]

    def rows(self) -> list[Row]:
        """All cases of the folder, by name; those of earlier runs too."""
        found = self._base.execute(
            "SELECT name, state, attempts, reason, worker, seconds, peak_bytes, outputs, figures FROM cases"
            " ORDER BY name"
        )
        return [_row(row) for row in found]

    def ours(self) -> list[Row]:
        """The cases of this run, in the order in which they were given."""
        by_name = {row.name: row for row in self.rows()}
        return [by_name[name] for name in self._cases]

    def begun(self, case: str, worker: str) -> None:
        """Note that a worker has taken a case in hand."""
        with self._written() as base:
            base.execute(
                "UPDATE cases SET state = 'working', attempts = attempts + 1, worker = ? WHERE name = ?", (worker, case)
            )

    def ended(self, outcome: Outcome) -> None:
        """Note what became of a case."""
        outputs, figures = ({}, {}) if outcome.done is None else (outcome.done.outputs, outcome.done.figures)
        with self._written() as base:
            base.execute(
                "UPDATE cases SET state = ?, reason = ?, worker = ?, seconds = ?, peak_bytes = ?, outputs = ?,"
                " figures = ?, files = ? WHERE name = ?",
                (
                    outcome.kind,
                    outcome.reason,
                    outcome.worker,
                    json.dumps(dict(outcome.seconds)),
                    outcome.peak_bytes,
                    json.dumps(dict(outputs)),
                    json.dumps(dict(figures)),
                    json.dumps(as_json(outcome.files)),
                    outcome.case.name,
                ),
            )

    def wait_again(self, case: str) -> None:
        """Put a case that was lost back among those that are to be done."""
        with self._written() as base:
            base.execute("UPDATE cases SET state = 'waiting' WHERE name = ?", (case,))

    @contextmanager
    def _written(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is there whole or not."""
        try:
            with self._base:
                yield self._base
        except sqlite3.OperationalError as error:
            raise InputError(f"{self.folder / FILE}: cannot be written to: {error}") from error

    def _take_settings(self, base: sqlite3.Connection, job: str, settings: str, *, again: bool) -> None:
        before = base.execute("SELECT name, settings FROM job").fetchone()
        if before is not None and before[0] != job and not again:
            raise InputError(f"{self.folder}: holds results of ivos {before[0]}, not {job}; give another folder")
        if before is not None and before[1] != settings and not again:
            raise OtherResultsError(
                f"{self.folder}: holds results of other settings: {_difference(before[1], settings)}; give another "
                "folder, or --overwrite to process all scans again"
            )
        if before == (job, settings):
            return
        base.execute("DELETE FROM job")
        base.execute("INSERT INTO job VALUES (?, ?)", (job, settings))
        base.execute("UPDATE cases SET state = 'waiting', reason = NULL, outputs = '{}', figures = '{}', files = '{}'")

    def _take_cases(self, base: sqlite3.Connection, *, again: bool) -> None:
        """What is new, changed, lost, not finished or no longer there waits; the rest stays as it is."""
        checksums = InputChecksums()
        there = {
            name: (state, origin, checksum, json.loads(outputs), from_json(json.loads(files)))
            for name, state, origin, checksum, outputs, files in base.execute(
                "SELECT name, state, origin, checksum, outputs, files FROM cases"
            )
        }
        waiting: dict[str, tuple[str, str]] = {}  # origin and checksum
        ended: dict[str, tuple[str, str]] = {}
        for case in self._cases.values():
            origin, checksum = _origin(case), checksums.of(case)
            state, origin_before, checksum_before, _, _ = there.get(case.name, (None, origin, checksum, {}, {}))
            changed = checksum != checksum_before
            if changed and origin != origin_before and not again:
                raise OtherResultsError(
                    f"{self.folder}: has a case '{case.name}' made of other files; give another folder, or --overwrite"
                )
            stays = state in ("done", "refused") and not changed and not again
            (ended if stays else waiting)[case.name] = origin, checksum
        damaged = self._damaged({name: there[name][3:] for name in ended})
        self._put_aside(damaged)
        base.executemany(
            "INSERT OR REPLACE INTO cases (name, state, origin, checksum) VALUES (?, 'waiting', ?, ?)",
            [(name, *facts) for name, facts in {**waiting, **{name: ended[name] for name in damaged}}.items()],
        )

    def _damaged(
        self, cases: Mapping[str, tuple[Mapping[str, str], Mapping[str, FileFacts]]]
    ) -> dict[str, dict[str, str]]:
        """What became of files that are not as they were written, by case and path; all of them are read."""

        def of_case(case: str) -> dict[str, str]:
            outputs, files = cases[case]
            found = {path: damage(self.folder, path, files.get(path)) for path in outputs.values()}
            return {path: what for path, what in found.items() if what is not None}

        with ThreadPoolExecutor(_READERS) as readers:
            found = dict(zip(cases, readers.map(of_case, cases), strict=True))
        return {case: of for case, of in found.items() if of}

    def _put_aside(self, damaged: Mapping[str, Mapping[str, str]]) -> None:
        """Rename files that are written again, and say so of the first few."""
        told = 0
        for case, files in damaged.items():
            for path, what in files.items():
                aside = put_aside(self.folder / path)
                told += 1
                if told <= _NOTED:
                    kept = "" if aside is None else f", what was there is kept as {aside.name}"
                    _LOG.warning("%s: %s %s: it is made again%s", case, path, what, kept)
        if told > _NOTED:
            _LOG.warning("and so are %d more files", told - _NOTED)


def _open_database(folder: Path) -> sqlite3.Connection:
    """The folder's manifest, locked."""
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        base = sqlite3.connect(path, timeout=0)
    except (OSError, sqlite3.OperationalError) as error:
        raise InputError(f"{folder}: cannot be written to: {getattr(error, 'strerror', None) or error}") from error
    try:
        base.execute("PRAGMA locking_mode = EXCLUSIVE")
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA synchronous = NORMAL")
        (form,) = base.execute("PRAGMA user_version").fetchone()
        base.execute("BEGIN EXCLUSIVE")
        if form == 0:
            for table in _TABLES.split(";"):
                base.execute(table)
        if form == _BEFORE:
            base.execute(_FILES)
        if form in (0, _BEFORE):
            base.execute(f"PRAGMA user_version = {_FORM}")
        base.commit()
    except sqlite3.DatabaseError as error:
        base.close()
        if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            raise InputError(f"{folder}: another run is at work here; wait for it, or give another folder") from error
        told = f"{path}: cannot be used: {error}; put it right, or move it away and all cases are done anew"
        raise InputError(told) from error
    if form not in (0, _BEFORE, _FORM):
        base.close()
        raise InputError(f"{path}: of another version of ivos; give another folder")
    return base


def _origin(case: Case) -> str:
    """A digest of where a case came from: places may name the patient, and the folder may be given to others."""
    places = [f"{role}={place}" for role, place in sorted(case.inputs.items())]
    return hashlib.sha256("\n".join([*places, case.part]).encode()).hexdigest()


def _difference(before: str, now: str) -> str:
    """In which settings two runs differ, as words."""
    old, new = json.loads(before), json.loads(now)
    differing = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    told = [f"{name} {_short(old.get(name))}, now {_short(new.get(name))}" for name in differing[:_NOTED]]
    return "; ".join(told)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _row(row: tuple[Any, ...]) -> Row:
    name, state, attempts, reason, worker, seconds, peak_bytes, outputs, figures = row
    return Row(
        name,
        cast("State", state),
        attempts,
        reason,
        worker,
        json.loads(seconds),
        peak_bytes,
        json.loads(outputs),
        json.loads(figures),
    )
