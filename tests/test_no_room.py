"""A full disk: which folder it is, and what to set, in one line; what cannot be put right by that is left as it is."""

from __future__ import annotations

import errno
import gzip
import os
import shutil
import tempfile
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

import ivos
from ivos.cohort.backends.case_execution import CaseExecution
from ivos.cohort.upload import UploadJob
from ivos.errors import InputError
from ivos.files import replacing, replacing_folder, temporary_folder
from ivos.io.remote import local_copy
from ivos.pipelines.protocol import Case
from tests.cohort.jobs import CountingJob

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def full(*_: object, **__: object) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path / "tmp"


def said(action: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        action()
    return str(caught.value)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_folder_of_temporary_files_is_named_with_what_to_set(place: Path, number: int) -> None:
    def work() -> None:
        with temporary_folder() as folder:
            (folder / "half").write_text("half")
            raise OSError(number, os.strerror(number))

    message = said(work)
    assert message == f"{place}: no room for temporary files; free some, or set TMPDIR to a folder on another disk"
    assert list(place.iterdir()) == []


def test_other_errors_and_other_disks_are_not_taken_for_it(place: Path, tmp_path: Path) -> None:
    for error in (
        OSError(errno.EIO, "Input/output error"),
        OSError(errno.ENOSPC, "No space left", str(tmp_path / "o")),
    ):
        with pytest.raises(OSError, match=error.strerror), temporary_folder():
            raise error
    assert list(place.iterdir()) == []


def test_no_place_for_temporary_files_at_all(place: Path) -> None:
    place.rmdir()
    assert "no temporary folder can be made" in said(lambda: temporary_folder().__enter__())
    assert "set TMPDIR" in said(lambda: temporary_folder().__enter__())


def test_reading_says_it(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "series.zip", "w") as archive:
        archive.writestr("1.dcm", bytes(1000))
    monkeypatch.setattr(shutil, "copyfileobj", full)
    assert said(lambda: ivos.read(tmp_path / "series.zip")).startswith(f"{place}: no room for temporary files")


def test_a_copy_of_what_lies_at_an_address_says_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    store = fsspec.filesystem("memory")
    store.pipe("/no_room/scan.nii.gz", gzip.compress(b"x"))
    monkeypatch.setattr(type(store), "get_file", full)

    def fetch() -> None:
        with local_copy("memory://no_room/scan.nii.gz"):
            pass

    assert said(fetch).startswith(f"{place}: no room for temporary files")


def test_a_folder_with_brackets_at_an_address_is_copied_whole() -> None:
    import fsspec

    store = fsspec.filesystem("memory")
    for name in ("a [1]/x[2].dcm", "a [1]/sub/y.dcm", "a 1/z.dcm"):
        store.pipe(f"/brackets/{name}", name.encode())
    with local_copy("memory://brackets/a [1]") as folder:
        found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.dcm")}
    assert found == {"x[2].dcm": b"a [1]/x[2].dcm", "sub/y.dcm": b"a [1]/sub/y.dcm"}


def test_a_full_disk_of_results_is_named_and_nothing_half_stays(tmp_path: Path) -> None:
    def write() -> None:
        with replacing(tmp_path / "out" / "labels.nii.gz") as path:
            path.write_text("half")
            full()

    def write_folder() -> None:
        with replacing_folder(tmp_path / "out" / "folder") as path:
            (path / "half").write_text("half")
            full()

    for action, name in ((write, "labels.nii.gz"), (write_folder, "folder")):
        message = said(action)
        assert message == f"{tmp_path / 'out' / name}: no room for it on the disk; free some, or write to another one"
    assert list((tmp_path / "out").iterdir()) == []


def test_in_a_cohort_it_is_the_machine_and_not_the_case(place: Path, tmp_path: Path) -> None:
    class FullWorker:
        def read(self, case: Case) -> str:
            return case.name

        def work(self, case: Case, data: str) -> str:
            return data + case.name

        def write(self, case: Case, result: str, output: Path) -> Any:
            with replacing(output / case.name) as path:
                path.write_text(result)
                full()

    worker = UploadJob(CountingJob(), "memory://no_room/out").open()
    worker._worker = FullWorker()
    worker.read, worker.work = FullWorker().read, FullWorker().work
    passage = CaseExecution(worker, Case("a", {}), tmp_path, "me")
    passage.read()
    passage.work()
    passage.write()
    outcome = passage.outcome()
    assert outcome.kind == "lost"
    assert str(outcome.reason).startswith(f"{place}: no room for temporary files")
