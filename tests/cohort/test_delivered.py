"""Results that go to an address, with the manifest here."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from ivos.cohort.backends.serial import SerialBackend
from ivos.cohort.run import run_cohort
from ivos.cohort.upload import UploadJob
from ivos.errors import InputError
from ivos.pipelines.protocol import Case
from tests.cohort.jobs import CountingJob

if TYPE_CHECKING:
    from pathlib import Path


def test_files_go_to_the_address_and_what_is_there_is_not_done_again(tmp_path: Path) -> None:
    store, place = fsspec.filesystem("memory"), f"memory://{uuid.uuid4().hex}"
    (tmp_path / "a.txt").write_text("abc")
    (tmp_path / "b.txt").write_text("refuse this")
    cases = [Case(name, {"scan": str(tmp_path / f"{name}.txt")}) for name in ("a", "b")]
    job = UploadJob(CountingJob(), f"{place}/out/")
    with run_cohort(job, cases, tmp_path / "out", SerialBackend()) as manifest:
        rows = manifest.ours()
    assert [row.state for row in rows] == ["done", "refused"]
    assert rows[0].figures == {"letters": 3, "at": {"labels": f"{place}/out/a.txt"}}
    assert store.cat(f"{place}/out/a.txt") == b"3"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["cohort.sqlite"]
    store.rm(f"{place}/out/a.txt")
    run_cohort(job, cases, tmp_path / "out", SerialBackend()).close()
    assert not store.exists(f"{place}/out/a.txt")
    with pytest.raises(InputError, match="delivered_to"):
        run_cohort(UploadJob(CountingJob(), f"{place}/elsewhere"), cases, tmp_path / "out", SerialBackend())
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
