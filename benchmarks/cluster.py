"""A Ray cluster whose nodes are processes of this machine, and jobs that show what a cohort costs beside its work."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ivos.files import replacing
from ivos.pipelines.protocol import Case, Done

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NODE = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}


@contextmanager
def nodes_here(count: int) -> Iterator[Any]:
    """Ray's own cluster of nodes for tests: a core each; nothing of it stays.

    Args:
        count: of the nodes.
    """
    folder = tempfile.mkdtemp(prefix="r")  # short: paths of sockets may have 107 bytes
    os.environ.update({"RAY_TMPDIR": folder, "RAY_USAGE_STATS_ENABLED": "0"})
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args=_NODE)
    try:
        for _ in range(count - 1):
            another_node(cluster)
        yield cluster
    finally:
        cluster.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def another_node(cluster: Any) -> Any:
    """One more, as large as the others."""
    return cluster.add_node(**_NODE)


@dataclass(frozen=True)
class SleepingJob:
    """Writes a small file for each case after a while; cases whose scan is ``crash`` end their process.

    Attributes:
        seconds: how long the work takes.
        size_bytes: what is written.
        log: takes a line for every case that is begun, and for every one that is written, each time.
    """

    seconds: float
    size_bytes: int = 1024
    log: Path | None = None
    name: str = field(default="sleep", init=False)

    def settings(self) -> Mapping[str, Any]:
        """What makes the files the same."""
        return {"size_bytes": self.size_bytes}

    def open(self) -> SleepingJob:
        """There is nothing to load: the job is its own worker."""
        return self

    def read(self, case: Case) -> str:
        """What the case's file says."""
        self._tell("begun", case)
        return Path(case.inputs["scan"]).read_text()

    def work(self, case: Case, data: str) -> bytes:  # noqa: ARG002 - as a worker has it
        """Wait."""
        time.sleep(self.seconds)
        if data == "crash":
            os.abort()
        return bytes(self.size_bytes)

    def write(self, case: Case, result: bytes, output: Path) -> Done:
        """Write the file whole, and a line that tells of it."""
        with replacing(output / f"{case.name}.bin") as path:
            path.write_bytes(result)
        self._tell("written", case)
        return Done({"labels": f"{case.name}.bin"})

    def _tell(self, what: str, case: Case) -> None:
        if self.log is not None:
            with self.log.open("a") as log:
                log.write(f"{what} {case.name}\n")


def small_cases(folder: Path, count: int) -> list[Case]:
    """Cases for :class:`SleepingJob`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:04d}.txt" for number in range(count)]
    for path in paths:
        path.write_text("scan")
    return [Case(path.stem, {"scan": str(path)}) for path in paths]
