"""A saved session: whole or refused in one line."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivos.errors import InputError
from ivos.interactive.session import InteractiveSession
from ivos.propagation.engines.nearest import NearestEngine
from tests.interactive.scenes import SHAPE, contents, rectangle, scan_of, session_on
from tests.processes import completed
from tests.propagation.scenes import volume_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SQUARE = rectangle(slice(2, 5), slice(2, 5))


def worked_on() -> InteractiveSession:
    session = session_on()
    session.draw(1, 1, SQUARE)
    session.draw(4, 2, ~SQUARE)
    list(session.propagate())
    session.commit(2)
    session.draw(2, 1, ~SQUARE)
    session.undo()
    return session


def saved(path: Path) -> Path:
    worked_on().save(path)
    return path


def rewritten(path: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """The file with its entries changed."""
    with zipfile.ZipFile(path) as file:
        entries = {name: file.read(name) for name in file.namelist()}
    change(entries)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries.items():
            file.writestr(name, content)


def with_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    def in_entry(entries: dict[str, bytes]) -> None:
        described = json.loads(entries["session.json"])
        change(described)
        entries["session.json"] = json.dumps(described).encode()

    rewritten(path, in_entry)


def array_bytes(array: np.ndarray[Any, Any], **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def refused(path: Path, scan: Any = None) -> str:
    with pytest.raises(InputError) as error:
        InteractiveSession.load(path, scan)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
    return str(error.value)


def test_a_loaded_session_goes_on(tmp_path: Path) -> None:
    session = worked_on()
    session.save(tmp_path / "new folder" / "work.ivos")
    loaded = InteractiveSession.load(tmp_path / "new folder" / "work.ivos", scan_of(), engine=NearestEngine())
    assert contents(loaded) == contents(session)
    for both in (session, loaded):
        both.redo()
        list(both.propagate(structures=[1]))
    assert contents(loaded) == contents(session)
    while session.can_undo:
        session.undo()
        loaded.undo()
    assert contents(loaded) == contents(session)
    assert not loaded.can_undo


def test_a_propagation_under_way_is_saved_as_far_as_it_is(tmp_path: Path) -> None:
    session = session_on()
    session.draw(0, 1, SQUARE)
    steps = session.propagate()
    for _ in range(3):
        next(steps)
    session.save(tmp_path / "work.ivos")
    loaded = InteractiveSession.load(tmp_path / "work.ivos", scan_of())
    assert contents(loaded) == contents(session)
    loaded.undo()
    assert [n for n in range(6) if loaded.labels.array[n].any()] == [0]
    list(steps)
    assert session.labels.array[5].any()


def test_other_scans_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "work.ivos")
    assert "its intensities differ" in refused(path, scan_of(seed=1))
    assert "its size is" in refused(path, volume_of(np.zeros((7, 8, 9), np.int16)))
    assert "mm apart" in refused(path, volume_of(scan_of().array, (2.0, 1.5, 1.0)))


def test_what_is_no_session_is_refused(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "none.ivos")
    (tmp_path / "text.ivos").write_text("a session")
    assert "not a session" in refused(tmp_path / "text.ivos")
    (tmp_path / "empty.ivos").write_bytes(b"")
    assert "not a session" in refused(tmp_path / "empty.ivos")
    assert "cannot be read" in refused(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return saved(tmp_path_factory.mktemp("whole") / "work.ivos").read_bytes()


@given(share=st.floats(0, 0.999), cut=st.booleans(), bits=st.integers(1, 255))
def test_damaged_files_are_refused_or_harmless(
    whole: bytes, tmp_path_factory: pytest.TempPathFactory, share: float, cut: bool, bits: int
) -> None:
    place = int(share * len(whole))
    content = whole[:place] if cut else whole[:place] + bytes([whole[place] ^ bits]) + whole[place + 1 :]
    path = tmp_path_factory.getbasetemp() / "damaged.ivos"
    path.write_bytes(content)
    try:
        loaded = InteractiveSession.load(path, scan_of())
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert not cut
        assert contents(loaded) == contents(worked_on())  # a bit that nothing depends on: a date, for example


HOSTILE: list[Callable[[dict[str, Any]], object]] = [
    lambda d: d["geometry"].update(shape=[10**6, 10**6, 10**6]),
    lambda d: (d["geometry"].update(shape=[2000, 2000, 2000]), d["source"].update(shape=[2000, 2000, 2000])),
    lambda d: d["geometry"].update(shape=[-6, -8, 9]),
    lambda d: d["geometry"].update(spacing_mm=[float("nan"), 1, 1]),
    lambda d: d["facts"]["structures"].pop(0),
    lambda d: d["facts"]["structures"].append(d["facts"]["structures"][0]),
    lambda d: d["facts"]["structures"][0].update(id=256),
    lambda d: d["facts"]["structures"][0].update(colour=[0, 0, 1000]),
    lambda d: d["facts"]["committed"].append(77),
    lambda d: d["facts"]["drawn"].append([0, 10**9, 1]),
    lambda d: d["facts"]["drawn"].append([3, 0, 1]),
    lambda d: d["done"][3]["patches"][0].update(place=[[0, 10**9], [0, 8], [0, 9]]),
    lambda d: d["done"][3]["patches"][0].update(array="scan"),
    lambda d: d["done"][3]["patches"][0].update(size_bytes=10**12),
    lambda d: d["done"][3]["facts"].update(drawn=[[0, 99, 1]]),
    lambda d: d.update(version=2),
    lambda d: d.update(more=1),
    lambda d: d.clear(),
]


@pytest.mark.parametrize("change", HOSTILE)
def test_absurd_descriptions_are_refused(change: Callable[[dict[str, Any]], object], tmp_path: Path) -> None:
    path = saved(tmp_path / "work.ivos")
    with_json(path, change)
    for scan in (None, scan_of()):
        refused(path, scan)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((5, 8, 9), np.uint8),
        np.zeros(SHAPE, np.int32),
        np.zeros((6, 9, 8), np.uint8),
        np.full(SHAPE, 77, np.uint8),
    ],
)
def test_arrays_of_another_kind_are_refused(array: np.ndarray[Any, Any], tmp_path: Path) -> None:
    path = saved(tmp_path / "work.ivos")
    rewritten(path, lambda entries: entries.update({"labels.npy": array_bytes(array)}))
    assert "not a session" in refused(path, scan_of())
    assert "not a session" in refused(path)


def test_pickled_arrays_are_not_unpacked(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.mkdir, (str(tmp_path / "here"),)

    path = saved(tmp_path / "work.ivos")
    content = array_bytes(np.array([Evil()] * 3, object), allow_pickle=True)
    rewritten(path, lambda entries: entries.update({"axial.npy": content}))
    assert "not a session" in refused(path, scan_of())
    assert not (tmp_path / "here").exists()


def test_a_damaged_step_of_the_history_is_refused_when_it_is_undone(tmp_path: Path) -> None:
    path = saved(tmp_path / "work.ivos")

    def spoil_the_last(entries: dict[str, bytes]) -> None:
        described = json.loads(entries["session.json"])
        undone = sum(patch["size_bytes"] for patch in described["undone"][0]["patches"])
        spoilt = bytearray(entries["patches.bin"])
        spoilt[-undone - 5] ^= 255  # the last patch of the propagation
        entries["patches.bin"] = bytes(spoilt)

    rewritten(path, spoil_the_last)
    loaded = InteractiveSession.load(path, scan_of())
    loaded.undo()  # the commitment
    before = contents(loaded)
    with pytest.raises(InputError, match="damaged and cannot be undone"):
        loaded.undo()
    assert contents(loaded) == before


def test_killed_while_saving_the_earlier_file_is_still_there(tmp_path: Path) -> None:
    path = saved(tmp_path / "work.ivos")
    program = """
import os, signal, sys
from tests.interactive.scenes import session_on
import ivos.interactive.session_file as session_file
session_file.zipfile.ZipFile.close = lambda self: os.kill(os.getpid(), signal.SIGKILL)
session_on().save(sys.argv[1])
"""
    killed = completed([sys.executable, "-c", program, path])
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(list(tmp_path.iterdir())) == 2  # what was being written lies beside it
    assert contents(InteractiveSession.load(path, scan_of())) == contents(worked_on())
    worked_on().save(path)


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written here"):
        worked_on().save(tmp_path / "file" / "work.ivos")
