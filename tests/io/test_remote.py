"""Files at addresses: fetched, listed, told apart, put whole or not at all."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import fsspec
import pytest
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given
from hypothesis import strategies as st

from ivos.errors import InputError
from ivos.io.remote import (
    UnreachableError,
    canonical_url,
    fingerprint,
    is_address,
    listed,
    local_copies,
    local_copy,
    put,
    redact_url,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class RenamingFileSystem(DirFileSystem):  # type: ignore[misc]
    """A store that is not this machine's, can rename, and can break off: the folder is this one."""

    protocol = "renaming"
    cachable = False
    folder = ""
    breaks = False

    def __init__(self, **_: Any) -> None:
        super().__init__(path=self.folder, fs=LocalFileSystem(), skip_instance_cache=True)

    def put_file(self, lpath: str, rpath: str, **_: Any) -> None:
        super().put_file(lpath, rpath)
        if self.breaks:
            raise TimeoutError("the store is busy\nfor long")


@pytest.fixture
def memory() -> Iterator[str]:
    """The address of an empty folder in memory."""
    place = f"memory://{uuid.uuid4().hex}"
    yield place
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


@pytest.fixture
def renaming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder behind ``renaming://``."""
    fsspec.register_implementation("renaming", RenamingFileSystem, clobber=True)
    folder = tmp_path / "store"
    folder.mkdir()
    monkeypatch.setattr(RenamingFileSystem, "folder", str(folder))
    return folder


def test_what_is_an_address_and_what_a_path() -> None:
    for address in ("s3://bucket/scan.nii.gz", "hf://datasets/a/b", "zip://a.nii::s3://b/c.zip", "file:///data"):
        assert is_address(address)
    for path in ("/data/scan.nii.gz", "scan.nii.gz", "C:/scans", "C:\\scans", "a:b//c", "://x"):
        assert not is_address(path)


@given(secret=st.text("abcXYZ019:!$%", min_size=4))
def test_passwords_and_signatures_are_not_shown(secret: str) -> None:
    assert redact_url(f"sftp://me:{secret}@host/scan.nii.gz") == "sftp://host/scan.nii.gz"
    assert redact_url(f"https://host/scan.nii.gz?signature={secret}") == "https://host/scan.nii.gz"
    assert redact_url("hf://datasets/a/b@main/scan.nii.gz") == "hf://datasets/a/b@main/scan.nii.gz"


def test_a_file_and_a_whole_folder_are_here_for_the_time_of_the_block(memory: str) -> None:
    fsspec.filesystem("memory").pipe({f"{memory}/a/scan.nii.gz": b"voxels", f"{memory}/series/1/x.dcm": b"slice"})
    fsspec.filesystem("memory").pipe(f"{memory}/series/y.dcm", b"other")
    inputs = {"scan": f"{memory}/a/scan.nii.gz", "series": f"{memory}/series", "drawn": "/some/where.nii"}
    with local_copies(inputs) as paths:
        assert paths["scan"].name == "scan.nii.gz"
        assert paths["scan"].read_bytes() == b"voxels"
        assert str(paths["drawn"]) == "/some/where.nii"
        found = {str(path.relative_to(paths["series"])): path.read_bytes() for path in paths["series"].rglob("*.dcm")}
        assert found == {"1/x.dcm": b"slice", "y.dcm": b"other"}
    assert not paths["scan"].exists()
    assert not paths["series"].exists()


def test_the_same_place_is_known_however_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    for same in (
        f"file://{tmp_path}/a.nii",
        f"{tmp_path}/b/../a.nii",
        f"local://{tmp_path}//a.nii",
        tmp_path / "link/a.nii",
    ):
        assert canonical_url(str(same)) == canonical_url(str(tmp_path / "a.nii"))
    assert (
        canonical_url("S3://bucket//a/./b.nii")
        == canonical_url("s3://bucket/a/b.nii")
        != canonical_url("gs://bucket/a/b.nii")
    )
    assert canonical_url("memory:///a/b") == canonical_url("memory://a/b")


def test_what_lies_on_this_machine_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "scan.nii").write_bytes(b"voxels")
    with local_copy(f"file://{tmp_path}/scan.nii") as path:
        assert path == tmp_path / "scan.nii"
    put(tmp_path / "scan.nii", f"file://{tmp_path}/new/folder/copy.nii")
    assert (tmp_path / "new" / "folder" / "copy.nii").read_bytes() == b"voxels"
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["copy.nii"]


def test_a_folder_is_listed_by_name_without_what_is_hidden(memory: str, tmp_path: Path) -> None:
    names = ["b.nii", "a.nii", ".ivos-x", "series/1.dcm"]
    for name in names:
        fsspec.filesystem("memory").pipe(f"{memory}/{name}", b"x")
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert listed(memory) == [f"{memory.replace('://', ':///')}/{name}" for name in ("a.nii", "b.nii", "series")]
    assert listed(f"file://{tmp_path}") == [f"file://{tmp_path}/{name}" for name in ("a.nii", "b.nii", "series")]


def test_the_fingerprint_tells_changed_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "series").mkdir()
    slice_, address = tmp_path / "series" / "1.dcm", f"file://{tmp_path}/series"
    slice_.write_text("one")
    before = fingerprint(address), fingerprint(f"{address}/1.dcm")
    assert before == (fingerprint(address), fingerprint(f"{address}/1.dcm"))
    slice_.write_text("another")
    assert not {fingerprint(address), fingerprint(f"{address}/1.dcm")} & set(before)
    after = fingerprint(address)
    (tmp_path / "series" / "2.dcm").touch()
    assert fingerprint(address) != after


def test_what_is_put_replaces_what_was_there(memory: str, renaming: Path, tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / "labels.nii").write_text(f"labels {number}")
        put(tmp_path / "labels.nii", f"{memory}/out/case.nii")
        put(tmp_path / "labels.nii", "renaming://out/case.nii")
    assert fsspec.filesystem("memory").cat(f"{memory}/out/case.nii") == b"labels 1"
    assert {path.name: path.read_text() for path in (renaming / "out").iterdir()} == {"case.nii": "labels 1"}


def test_what_breaks_off_leaves_what_was_there(renaming: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "labels.nii").write_text("labels")
    put(tmp_path / "labels.nii", "renaming://out/case.nii")
    monkeypatch.setattr(RenamingFileSystem, "breaks", True)
    (tmp_path / "labels.nii").write_text("others")
    with pytest.raises(UnreachableError, match=r"renaming://out/case.nii: TimeoutError: the store is busy$"):
        put(tmp_path / "labels.nii", "renaming://out/case.nii")
    assert {path.name: path.read_text() for path in (renaming / "out").iterdir()} == {"case.nii": "labels"}


def test_what_a_user_can_put_right_is_one_line(memory: str) -> None:
    for missing in (listed, fingerprint, lambda address: local_copy(address).__enter__()):
        with pytest.raises(InputError, match=f"^{memory}/none: no such file or folder$"):
            missing(f"{memory}/none")
    with pytest.raises(InputError, match=r"nosuch://x: not an address that can be used: .*nosuch"):
        listed("nosuch://x")
    fsspec.register_implementation("absent", "no_such_package.Files", errtxt="Install absentfs", clobber=True)
    with pytest.raises(InputError, match=r"absent://x/y: its kind of address needs a package: Install absentfs"):
        listed("absent://me:secret@x/y")
