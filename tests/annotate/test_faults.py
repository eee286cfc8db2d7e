"""Nothing that was acknowledged is lost, whatever happens to the server."""

from __future__ import annotations

import json
import resource
import shutil
import socket
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ivos
from ivos.annotate.server.service import Service
from ivos.errors import InputError
from tests.annotate.desk import NETWORKS, Desk, desk_of, line_of, packed, truth
from tests.annotate.slow_server import FORKS, BrokenEngine, SlowEngine, run_slow_server
from tests.processes import HANG_S, waited
from tests.propagation.scenes import moving_discs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.context import ForkServerProcess


def snapshot(desk: Desk) -> tuple[Any, bytes]:
    """All that a tab sees, but for what is of one server alone."""
    shown = desk.get()
    return {key: value for key, value in shown.items() if key not in ("memory", "job")}, desk.voxels().tobytes()


def test_all_is_there_after_a_restart_undo_history_included(tmp_path: Path) -> None:
    labels = truth().array
    with desk_of(tmp_path) as desk:
        desk.act("add", name="ball")
        for index in (0, 6, 11):
            desk.draw(index, labels[index] == 3)
        desk.propagate()
        desk.draw(3, labels[3] == 3)
        desk.act("undo")
        before = snapshot(desk)
    with desk_of(tmp_path) as desk:
        assert snapshot(desk) == before
        desk.act("redo")
        assert desk.get()["corrected"]["axial"] == {"1": [3]}
        for _ in range(6):
            desk.act("undo")
        assert not desk.get()["undo"]
        assert not desk.voxels().any()


def test_snapshots_take_the_place_of_what_came_before(tmp_path: Path) -> None:
    with desk_of(tmp_path) as desk:
        desk.act("add", name="ball")
        for number in range(30):
            mask = np.zeros((64, 64), bool)
            mask[number : number + 3] = True
            desk.draw(number % 12, mask, do="brush")
        before = snapshot(desk)
    with desk_of(tmp_path) as desk:  # closing has kept a snapshot
        assert snapshot(desk) == before
        desk.draw(1, np.ones((64, 64), bool))
        for _ in range(31):
            desk.act("undo")
        assert not desk.voxels().any()
        journal = desk.get("/export?format=journal")
        assert [entry["kind"] for entry in journal["entries"]] == ["step"] * 32 + ["undo"] * 31
        assert journal["entries"][1]["what"]["mask"]["shape"] == [3, 64]


@contextmanager
def process_on(folder: Path) -> Iterator[tuple[ForkServerProcess, str]]:
    """A server in a process of its own, and its address."""
    ivos.write(folder / "scan.nii.gz", moving_discs(slices=40)[0])
    process = FORKS.Process(target=run_slow_server, args=(folder,))
    process.start()
    try:
        port = folder / "port"
        waited(port.exists, process)
        yield process, f"http://127.0.0.1:{port.read_text()}"
    finally:
        process.kill()
        process.join()


def test_kill_9_while_propagating_and_a_second_server(tmp_path: Path) -> None:
    mask = moving_discs()[1].array[0] == 3
    with process_on(tmp_path) as (server, address), httpx2.Client(base_url=address, timeout=HANG_S) as client:
        scan = f"/api/scans/{client.get('/api/scans').json()[0]['id']}"

        def act(**action: Any) -> Any:
            return client.post(f"{scan}/actions", json=action)

        act(do="add", name="ball")
        act(do="draw", structure=1, index=39, mask=packed(mask))
        act(do="draw", structure=1, index=0, mask=packed(mask))
        with pytest.raises(InputError, match="another ivos annotate works in this work folder"):
            Service(tmp_path / "ivos-work", [], NETWORKS)
        assert client.post(f"{scan}/propagation", json={}).status_code == 202
        told = told_slices(client, f"{scan}/events", at_least=3)
        shown = np.frombuffer(client.get(f"{scan}/labels").content, np.uint8).reshape(40, 64, 64)
        server.kill()  # SIGKILL
        server.join()
    assert told
    with desk_of(tmp_path) as desk:  # the lock has ended with the process
        found = desk.voxels()
        there = np.flatnonzero(found.any(axis=(1, 2))).tolist()
        assert set(told) <= set(there)
        assert set(np.flatnonzero(shown.any(axis=(1, 2)))) <= set(there)
        assert len(there) < 40
        desk.act("undo")  # what was finished is one step
        assert np.flatnonzero(desk.voxels().any(axis=(1, 2))).tolist() == [0, 39]
        desk.act("redo")
        np.testing.assert_array_equal(desk.voxels(), found)


@settings(max_examples=4)
@given(st.data())
def test_whatever_was_acknowledged_is_in_the_store(data: st.DataObject) -> None:
    """A copy of the work folder at any time, as a kill leaves it, opens with all that was acknowledged until then."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with desk_of(folder) as desk:
            desk.act("add", name="ball")
            desk.act("add", name="disc")
            for _ in range(data.draw(st.integers(0, 6))):
                anything(desk, data)
            before = snapshot(desk)
            shutil.copytree(folder, folder / "copy")
        with desk_of(folder / "copy") as desk:
            assert snapshot(desk) == before


def anything(desk: Desk, data: st.DataObject) -> None:
    index, structure = data.draw(st.integers(0, 11)), data.draw(st.integers(1, 2))
    mask = packed(truth().array[data.draw(st.integers(0, 11))] > 0)
    do = data.draw(st.sampled_from(["draw", "brush", "clear", "lock", "unlock", "undo", "redo", "propagate"]))
    on_slice = {"structure": structure, "index": index}
    more: dict[str, dict[str, Any]] = {
        "draw": {**on_slice, "mask": mask},
        "brush": {**on_slice, "mask": mask, "axis": "axial", "erase": data.draw(st.booleans())},
        "clear": on_slice,
        "lock": {"structure": structure},
        "unlock": {"structure": structure},
    }
    if do == "propagate":
        desk.client.post(f"{desk.scan}/propagation", json={})
        desk.wait()
    else:
        assert desk.client.post(f"{desk.scan}/actions", json={"do": do, **more.get(do, {})}).status_code in (200, 400)


def told_slices(client: httpx2.Client, path: str, at_least: int) -> list[int]:
    """The slices that a tab hears of, until it has heard of so many."""
    told: set[int] = set()
    with client.stream("GET", path, timeout=HANG_S) as answer:
        name = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: ") and name == "changed":
                span = json.loads(line.removeprefix("data: "))
                told |= set(range(span["first"], span["last"] + 1))
                if len(told) >= at_least:
                    break
    return sorted(told)


@contextmanager
def full_disk(folder: Path, *, utterly: bool = False) -> Iterator[None]:
    """No file of this process can grow beyond what the store's have now, or at all, as on a disk without room."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    files = [path for path in (folder / "ivos-work").iterdir() if path.is_file()]
    largest = 0 if utterly else max(path.stat().st_size for path in files)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_refuses_and_changes_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with desk_of(tmp_path) as desk:
        desk.act("add", name="ball")
        desk.draw(0, truth().array[0] == 3)
        before = snapshot(desk)
        with full_disk(tmp_path):
            for _ in range(3):
                line = desk.refused(507, "draw", structure=1, index=5, mask=packed(rng.random((64, 64)) < 0.5))
                assert "make room" in line
            assert "make room" in line_of(desk.client.put(f"{desk.scan}/state", json={"state": "done"}), 507)
            assert snapshot(desk) == before
        desk.draw(5, truth().array[5] == 3)
    with desk_of(tmp_path) as desk:
        assert desk.get()["drawn"]["axial"] == {"1": [0, 5]}
        desk.act("undo")
        assert snapshot(desk)[1] == before[1]


def test_a_server_ends_in_good_order_on_a_full_disk(tmp_path: Path) -> None:
    with desk_of(tmp_path) as desk:
        desk.act("add", name="ball")
        for index in range(12):
            desk.draw(index, truth().array[index] == 3)
            desk.draw(index, truth().array[index] == 8)
        before = snapshot(desk)
        limit = full_disk(tmp_path, utterly=True)
        limit.__enter__()  # until the desk is closed, which keeps a snapshot where it can
    limit.__exit__(None, None, None)
    with desk_of(tmp_path) as desk:
        assert snapshot(desk) == before


def test_a_disk_that_fills_up_while_propagating_keeps_what_was_finished(tmp_path: Path) -> None:
    with desk_of(tmp_path) as desk:
        desk.act("add", name="ball")
        desk.draw(0, np.random.default_rng(0).random((64, 64)) < 0.5)
        before = snapshot(desk)
        with full_disk(tmp_path):
            desk.propagate()
            assert snapshot(desk) == before
        desk.propagate()
        assert desk.get()["propagated"]["axial"] == {"1": [[1, 11]]}


def test_another_scan_in_the_place_of_the_old_one_is_refused(tmp_path: Path) -> None:
    with desk_of(tmp_path) as desk:
        desk.act("add", name="ball")
    ivos.write(tmp_path / "scan.nii.gz", moving_discs(seed=5)[0])
    with desk_of(tmp_path) as desk:
        assert "not the scan any more" in line_of(desk.client.get(desk.scan), 409)


def test_pause_go_on_and_stop(tmp_path: Path) -> None:
    with desk_of(tmp_path, engine=SlowEngine) as desk:
        path, mask = f"{desk.scan}/propagation", truth().array[0] == 3
        desk.act("add", name="ball")
        desk.draw(0, mask)
        assert desk.client.post(path, json={}).json()["state"] == "running"
        assert line_of(desk.client.post(path, json={}), 409).startswith("something runs")
        assert desk.client.put(path, json={"paused": True}).json()["state"] == "paused"
        first = desk.get()["job"]["done"]
        time.sleep(0.2)
        assert desk.get()["job"]["done"] == first
        assert desk.client.put(path, json={"paused": False}).json()["state"] == "running"
        while desk.get()["job"]["done"] < 4:
            time.sleep(0.01)
        shown = desk.draw(11, mask)["scan"]
        assert shown["job"] is None  # drawing ends it; what is finished stays
        assert shown["propagated"]["axial"]["1"][0][0] == 1
        assert desk.client.post(path, json={}).status_code == 202
        assert desk.client.delete(path).json()["state"] == "stopped"
        assert "nothing runs" in line_of(desk.client.delete(path), 404)


def test_a_network_that_fails_ends_the_job_and_nothing_else(tmp_path: Path) -> None:
    with desk_of(tmp_path, engine=BrokenEngine) as desk:
        desk.act("add", name="ball")
        desk.draw(0, truth().array[0] == 3)
        before = snapshot(desk)
        desk.propagate()
        assert snapshot(desk) == before
        desk.draw(1, truth().array[1] == 3)


def test_a_port_that_is_taken_is_refused() -> None:
    from ivos.annotate.server.serve import listening

    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(InputError, match=r"cannot listen.*--port"):
        listening("127.0.0.1", taken.getsockname()[1])
