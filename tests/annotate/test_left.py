"""Scans that nobody looks at any more are closed, and lose nothing by it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

import ivos
from ivos.annotate.session import footprint, sessions
from tests.annotate.desk import ADDRESS, NETWORKS, Desk, client_of
from tests.annotate.slow_server import SlowEngine
from tests.propagation.scenes import moving_discs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.testclient import TestClient

    from ivos.annotate.server.service import Service

MASK = moving_discs()[1].array[4] == 3


@pytest.fixture
def scans(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"scan_{number}.nii.gz" for number in range(6)]
    scan = moving_discs()[0]
    for number, path in enumerate(paths):
        ivos.write(path, scan.with_array(scan.array + number))
    return paths


@pytest.fixture
def client(tmp_path: Path, scans: list[Path]) -> Iterator[TestClient]:
    with client_of(tmp_path / "ivos-work", scans) as made:
        yield made


def ids(client: TestClient) -> list[str]:
    return [entry["id"] for entry in client.get("/api/scans").json()]


def open_scans(client: TestClient) -> tuple[str, ...]:
    service: Service = client.app.state.service  # type: ignore[attr-defined]
    return service.sessions.open_scans


def test_of_scans_that_no_page_shows_the_last_few_stay_open_and_nothing_is_lost(client: TestClient) -> None:
    names = ids(client)
    for scan in names:
        desk = Desk(client, scan)
        desk.act("add", name=f"of {scan}")
        desk.draw(4, MASK)
        assert len(open_scans(client)) <= sessions.UNWATCHED + 1
    assert open_scans(client) == tuple(names[-sessions.UNWATCHED - 1 :])
    desk = Desk(client, names[0])
    assert [s["name"] for s in desk.get()["structures"]] == [f"of {names[0]}"]
    np.testing.assert_array_equal(desk.voxels()[4] == 1, MASK)
    desk.act("undo")
    assert not desk.voxels().any()


async def _shown_for_a_moment(service: Service, scan: str) -> None:
    stream = service.events.stream(scan)
    assert (await anext(stream)).startswith(":")
    assert service.events.is_followed(scan)
    await stream.aclose()  # type: ignore[attr-defined]
    assert not service.events.is_followed(scan)


def test_a_scan_is_closed_when_its_last_page_has_gone(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "LEFT_S", 0.05)
    service: Service = client.app.state.service  # type: ignore[attr-defined]
    first, second, *_ = ids(client)
    for scan in (first, second):
        Desk(client, scan).get()
    asyncio.run(_shown_for_a_moment(service, first))
    for _ in range(100):
        if open_scans(client) == (second,):
            break
        time.sleep(0.05)
    assert open_scans(client) == (second,)
    assert client.get(f"{ADDRESS}/api/scans/{first}").json()["id"] == first  # and opens again


def test_a_scan_in_which_something_runs_stays_open_until_that_is_over(
    tmp_path: Path, scans: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "LEFT_S", 0.05)
    networks = type(NETWORKS)(SlowEngine, NETWORKS.strokes, None)
    with client_of(tmp_path / "ivos-work", scans, networks=networks) as client:
        service: Service = client.app.state.service  # type: ignore[attr-defined]
        first, *others = ids(client)
        desk = Desk(client, first)
        desk.act("add", name="ball")
        desk.draw(4, MASK)
        assert client.post(f"{desk.scan}/propagation", json={}).status_code == 202
        assert client.put(f"{desk.scan}/propagation", json={"paused": True}).json()["state"] == "paused"
        asyncio.run(_shown_for_a_moment(service, first))
        for scan in others[:4]:
            Desk(client, scan).get()
        assert first in open_scans(client)
        assert client.put(f"{desk.scan}/propagation", json={"paused": False}).status_code == 200
        for _ in range(200):
            if first not in open_scans(client):
                break
            time.sleep(0.05)
        assert first not in open_scans(client)
        assert desk.voxels().any(axis=(1, 2)).all()  # all of it was kept


def test_memory_is_counted_as_the_process_holds_it_and_closing_gives_it_back(client: TestClient) -> None:
    before = footprint.resident_bytes()
    block = np.ones(80_000_000, np.uint8)
    first = ids(client)[0]
    counted = client.get(f"/api/scans/{first}").json()["memory"]["used_bytes"]
    assert counted > before + 70_000_000
    del block
    cleared = client.delete(f"/api/scans/{first}/memory").json()["used_bytes"]
    assert cleared < counted - 70_000_000
