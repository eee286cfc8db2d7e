"""Cases over a Ray cluster of three nodes, each of which is a few processes of this machine."""

from __future__ import annotations

import itertools
import shutil
import socket
import tempfile
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from ivos.cohort.backends.protocol import CaseStarted, Outcome
from ivos.cohort.backends.ray import RayBackend
from ivos.cohort.backends.ray_actors import Share
from ivos.cohort.run import run_cohort
from ivos.errors import InputError
from ivos.pipelines.protocol import Case
from tests.cohort.jobs import CountingJob

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("ray")  # one cluster, not one a process

NODE = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes; the test process is their driver."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'ivos[cluster]'")
    from ray.cluster_utils import Cluster

    folder = tempfile.mkdtemp(prefix="r")  # short: paths of sockets may have 107 bytes
    environment = pytest.MonkeyPatch()
    environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
    environment.setenv("RAY_TMPDIR", folder)
    nodes = Cluster(initialize_head=True, head_node_args=NODE)
    try:
        nodes.add_node(**NODE)  # a third one joins while it is at work
        ray.init(address=nodes.address, log_to_driver=False, configure_logging=False)
        yield nodes
    finally:
        ray.shutdown()
        nodes.shutdown()
        environment.undo()
        shutil.rmtree(folder, ignore_errors=True)


def cases_of(folder: Path, texts: Sequence[str]) -> list[Case]:
    folder.mkdir(exist_ok=True)
    cases = []
    for number, text in enumerate(texts):
        (folder / f"{number}.txt").write_text(text)
        cases.append(Case(f"case_{number}", {"scan": str(folder / f"{number}.txt")}))
    return cases


def backend() -> RayBackend:
    return RayBackend("auto", cpus_each=1)


@pytest.mark.usefixtures("cluster")
def test_every_case_ends_once_whatever_it_does(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    texts = ["abc", "die", "refuse this", "die once", "full", "raise", *["abcde"] * 8]
    cases = cases_of(tmp_path / "in", texts)
    with run_cohort(CountingJob(2), cases, tmp_path / "out", backend(), attempts=2) as manifest:
        rows = manifest.ours()
    assert [row.state for row in rows] == ["done", "lost", "refused", "done", "lost", "lost", *["done"] * 8]
    assert rows[1].reason == "the worker died, 2 times"
    assert (tmp_path / "out" / "case_0.txt").read_text() == "6"
    assert len({row.worker for row in rows}) > 1
    written = (tmp_path / "out" / "written.log").read_text().split()
    assert len(set(written)) == 10
    assert len(written) <= 12  # a worker that dies may have written its other case and not told of it
    assert capfd.readouterr().out == ""
    assert not list((tmp_path / "out").glob(".ivos-*"))


def test_a_worker_has_two_cases_at_most_and_they_are_taken_as_it_can_begin(cluster: Any, tmp_path: Path) -> None:
    cases, taken, ended = cases_of(tmp_path, ["abc"] * 30), 0, 0

    def given() -> Iterator[Case]:
        nonlocal taken
        for case in cases:
            taken += 1
            yield case

    (tmp_path / "out").mkdir()
    with closing(backend().run(CountingJob(), given(), tmp_path / "out")) as events:
        for event in events:
            ended += isinstance(event, Outcome)
            assert taken - ended <= 2 * len(cluster.list_all_nodes()) + 1
    assert ended == 30


def test_a_dead_node_costs_what_it_had_in_hand_and_one_that_joins_is_used(cluster: Any, tmp_path: Path) -> None:
    cases = cases_of(tmp_path, ["sleep"] * 90)
    (tmp_path / "out").mkdir()
    node = cluster.list_all_nodes()[-1]
    began: dict[str, str] = {}
    outcomes: list[Outcome] = []

    def until_a_third_worker_is_at_it() -> Iterator[Case]:
        yield from itertools.takewhile(lambda _: len(set(began.values())) < 3, cases)

    with closing(
        backend().run(CountingJob(), until_a_third_worker_is_at_it(), tmp_path / "out", ahead=False)
    ) as events:
        for event in events:
            if isinstance(event, CaseStarted):
                began[event.case.name] = event.worker
                continue
            outcomes.append(event)
            if len(outcomes) == 2:
                cluster.remove_node(node, allow_graceful=False)
                cluster.add_node(**NODE, wait=False)
    assert len(set(began.values())) == 3
    assert sorted(outcome.case.name for outcome in outcomes) == sorted(began)
    assert sum(outcome.kind == "lost" for outcome in outcomes) <= 1


@pytest.mark.usefixtures("cluster")
def test_what_no_worker_can_do_is_one_line(tmp_path: Path) -> None:
    cases = cases_of(tmp_path / "in", ["abc"])
    with pytest.raises(InputError, match=r"weights\.pt: no such checkpoint"):
        list(backend().run(CountingJob(opens=False), iter(cases), tmp_path / "out"))
    with pytest.raises(InputError, match="has what a worker needs: 64 cores and 1 GPUs"):
        list(RayBackend(cpus_each=64, gpus_each=1).run(CountingJob(), iter(cases), tmp_path / "out"))
    gone = [Case("gone", {"scan": str(tmp_path / "gone.txt")}), *cases]
    with run_cohort(CountingJob(), gone, tmp_path / "out", backend()) as manifest:
        assert [(row.state, row.reason) for row in manifest.ours()] == [
            ("refused", "scan: no such file or folder"),
            ("done", None),
        ]


def test_addresses_without_a_cluster_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'ivos[cluster]'")
    from ivos.cohort.backends.ray_cluster import joined

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    started = time.monotonic()
    for address, line in {nobody: "no Ray cluster answers", "ray://x:1": "not the address", "x": "HOST:PORT"}.items():
        with pytest.raises(InputError, match=line), joined(address):
            pass
    monkeypatch.setenv("RAY_ADDRESS", nobody)
    with pytest.raises(InputError, match=f"{nobody}: no Ray cluster answers"), joined("auto"):
        pass
    assert time.monotonic() - started < 60  # Ray itself would try for minutes
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install 'ivos\[cluster\]'"), joined("auto"):
        pass


def test_shares_of_a_node() -> None:
    share = Share(None, None)
    assert share.of({"CPU": 32.0}) == (8, 4, 0.0)
    assert share.of({"CPU": 2.0}) == (1, 2, 0.0)
    assert share.of({"CPU": 32.0, "GPU": 4.0}) == (4, 1, 1.0)
    assert share.of({"CPU": 3.0, "GPU": 4.0}) == (3, 1, 1.0)
    assert share.of({"memory": 1e9})[0] == 0
    assert Share(2, 0.5).of({"CPU": 32.0, "GPU": 4.0}) == (8, 2, 0.5)
    assert Share(None, 0).of({"CPU": 32.0, "GPU": 4.0}) == (8, 4, 0)
    assert Share(None, 1.0).of({"CPU": 32.0})[0] == 0
