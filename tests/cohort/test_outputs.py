"""A case counts as done while its files are as they were written, and not before the disk has them."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ivos.cohort.backends.processes import ProcessesBackend
from ivos.cohort.backends.serial import SerialBackend
from ivos.cohort.manifest import FILE, Manifest
from ivos.cohort.run import run_cohort
from ivos.errors import InputError
from ivos.files import check_file_writable, check_writable, flush, replacing, replacing_folder
from tests.cohort.jobs import CountingJob
from tests.cohort.test_run import cohort, rows_of, written

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ivos.cohort.backends.protocol import Outcome


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:1])


def of_zeros(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def longer(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"0")


def another(file: Path) -> None:
    status = file.stat()
    file.write_bytes(b"99")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))  # size and times say nothing


def gone(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize("damage", [emptied, cut, of_zeros, longer, another, gone])
@pytest.mark.parametrize("workers", [None, 1])
def test_what_is_not_as_it_was_written_is_made_again_and_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None], workers: int | None
) -> None:
    cases, output = cohort(tmp_path, "x" * 10, "x" * 12), tmp_path / "out"
    backend = SerialBackend() if workers is None else ProcessesBackend(workers)
    run_cohort(CountingJob(), cases, output, backend).close()
    file = output / "c1.txt"
    damage(file)
    there = file.read_bytes() if file.exists() else b""
    assert [row.state for row in rows_of(CountingJob(), cases, output)] == ["done", "done"]
    assert file.read_text() == "12"
    assert written(output) == {"c0": 1, "c1": 2}
    assert "c1: c1.txt " in caplog.text
    assert "c0" not in caplog.text
    kept = list(output.glob("*.changed"))
    assert [path.read_bytes() for path in kept] == ([there] if there else [])
    rows_of(CountingJob(), cases, output)
    assert written(output) == {"c0": 1, "c1": 2}


def test_what_is_put_aside_takes_the_place_of_nothing(tmp_path: Path) -> None:
    cases, output = cohort(tmp_path, "x"), tmp_path / "out"
    for content in ("a", "b", "c"):
        rows_of(CountingJob(), cases, output)
        (output / "c0.txt").write_text(content)
    rows_of(CountingJob(), cases, output)
    assert sorted(path.read_text() for path in output.glob("*.changed*")) == ["a", "b", "c"]


def test_a_run_that_is_refused_leaves_changed_files_where_they_are(tmp_path: Path) -> None:
    cases, output = cohort(tmp_path, "x"), tmp_path / "out"
    rows_of(CountingJob(), cases, output)
    (output / "c0.txt").write_text("mine")
    with pytest.raises(InputError, match="other settings"):
        rows_of(CountingJob(2), cases, output)
    assert (output / "c0.txt").read_text() == "mine"


def test_a_manifest_of_the_version_before_is_taken_as_it_is(tmp_path: Path) -> None:
    cases, output = cohort(tmp_path, "x", "xx"), tmp_path / "out"
    rows_of(CountingJob(), cases, output)
    with closing(sqlite3.connect(output / FILE)) as base:
        base.execute("ALTER TABLE cases DROP COLUMN files")
        base.execute("PRAGMA user_version = 1")
        base.commit()
    (output / "c1.txt").write_text("")
    rows_of(CountingJob(), cases, output)
    assert written(output) == {"c0": 1, "c1": 2}
    with closing(sqlite3.connect(output / FILE)) as base:
        files = [json.loads(text) for (text,) in base.execute("SELECT files FROM cases ORDER BY name")]
    assert files[0] == {}
    assert files[1]["c1.txt"][0] == 1


def test_the_disk_has_a_file_before_the_manifest_says_that_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.append(os.fstat(descriptor).st_ino))
    at_the_end: list[bool] = []
    end = Manifest.ended

    def ended(manifest: Manifest, outcome: Outcome) -> None:
        at_the_end.append({path.stat().st_ino for path in (output, output / "c0.txt")} <= set(flushed))
        end(manifest, outcome)

    monkeypatch.setattr(Manifest, "ended", ended)
    cases, output = cohort(tmp_path, "x"), tmp_path / "out"
    rows_of(CountingJob(), cases, output)
    assert at_the_end == [True]


def test_files_and_folders_are_on_the_disk_before_they_have_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[tuple[int, bool]] = []
    file, folder = tmp_path / "new" / "sub" / "file", tmp_path / "folder"

    def fsync(descriptor: int) -> None:
        flushed.append((os.fstat(descriptor).st_ino, file.exists() or folder.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    with replacing(file) as temporary:
        temporary.write_text("x")
    assert (file.stat().st_ino, False) in flushed
    assert (file.parent.stat().st_ino, True) in flushed
    assert {path.stat().st_ino for path in (tmp_path, tmp_path / "new")} <= {inode for inode, _ in flushed}
    file.unlink()
    flushed.clear()
    with replacing_folder(folder) as temporary:
        (temporary / "sub").mkdir()
        (temporary / "sub" / "a").write_text("x")
    for path in (folder, folder / "sub", folder / "sub" / "a"):
        assert (path.stat().st_ino, False) in flushed
    assert (tmp_path.stat().st_ino, True) in flushed


def test_a_file_system_that_cannot_flush_is_taken_as_it_is_and_a_failing_disk_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(number: int) -> Callable[[int], None]:
        def fsync(_: int) -> None:
            raise OSError(number, os.strerror(number))

        return fsync

    monkeypatch.setattr(os, "fsync", failing(22))  # EINVAL
    flush(tmp_path)
    monkeypatch.setattr(os, "fsync", failing(5))  # EIO
    with pytest.raises(OSError, match="Input/output error"), replacing(tmp_path / "file") as temporary:
        temporary.write_text("x")
    assert not (tmp_path / "file").exists()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(parts=st.lists(st.sampled_from(["a", "b [x]", "é", "x" * 300]), min_size=1, max_size=3))
def test_a_check_leaves_nothing_and_refuses_what_cannot_be_made(tmp_path: Path, parts: list[str]) -> None:
    folder = tmp_path.joinpath(*parts)
    possible = "x" * 300 not in parts
    if possible:
        check_writable(folder)
        check_file_writable(folder / "file.csv")
    else:
        with pytest.raises(InputError, match=r"cannot be written to: .*; give another folder with --report"):
            check_writable(folder, "--report")
    assert list(tmp_path.iterdir()) == []


def test_a_check_refuses_files_for_folders_and_folders_for_files(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "sub" / "sub"):
        with pytest.raises(InputError, match="cannot be written to: Not a directory"):
            check_writable(folder)
        with pytest.raises(InputError, match="cannot be written"), replacing(folder / "x"):
            pass
    with pytest.raises(InputError, match="is a folder; give the name of a file with --csv"):
        check_file_writable(tmp_path, "--csv")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
