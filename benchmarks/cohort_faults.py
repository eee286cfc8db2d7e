"""What faults cost a cohort: scans over a Ray cluster of three nodes that are processes of this machine.

python -m benchmarks.cohort_faults [--scans 60] [--seconds 0.5]

The work is to wait, so that seconds lost are those of the fault. Ended once: scans that the manifest has as done, whose
file is whole. Set aside: those it gives up with a reason. Attempts lost: those begun beyond one for each file, which a
fault cut off. Written again: files that a later attempt wrote once more, as their end was not heard of. Delay: against
the run without a fault.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.cluster import SleepingJob, another_node, nodes_here, small_cases
from benchmarks.measure import markdown
from ivos.cohort.backends.ray import RayBackend
from ivos.cohort.run import run_cohort
from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ivos.cohort.manifest import Row
    from ivos.cohort.run import RunProgress
    from ivos.pipelines.protocol import Case

_NODES = 3
_COLUMNS = ["fault", "scans", "ended once", "set aside", "attempts lost", "written again", "delay, s"]
_CHUNK_BYTES = 64 * 1024


@dataclass
class Course:
    """A run that does something to itself once a third of the scans have ended.

    Attributes:
        cases: of the run.
        output: its folder.
        job: what is done.
        address: of the cluster.
        fault: called once, with the name of a worker that is processing a case.
    """

    cases: Sequence[Case]
    output: Path
    job: SleepingJob
    address: str
    fault: Callable[[str], Any] = field(default=lambda _: None)

    def run(self) -> list[str]:
        """The row of the table, but for its name; the delay is the run's seconds still."""
        started = time.perf_counter()
        with run_cohort(self.job, self.cases, self.output, self._backend(), progress=self._watch) as manifest:
            rows = manifest.ours()
        return _figures(rows, self.output, self.job, time.perf_counter() - started)

    def _backend(self) -> RayBackend:
        return RayBackend(self.address, cpus_each=1)

    def _watch(self, standing: RunProgress) -> None:
        if standing.in_hand and 3 * standing.done >= standing.cases:
            fault, self.fault = self.fault, lambda _: None
            fault(next(iter(standing.in_hand)))


def main(
    scans: Annotated[int, typer.Option(min=9, help="How many.")] = 60,
    seconds: Annotated[float, typer.Option(min=0.05, help="Work on each.")] = 0.5,
) -> None:
    """Let everything go wrong once."""
    with tempfile.TemporaryDirectory() as temporary, nodes_here(_NODES) as cluster:
        place = Path(temporary)
        cases = small_cases(place / "cases", scans)

        def course(name: str, fault: Callable[[str], Any] = lambda _: None) -> Course:
            job = SleepingJob(seconds, log=place / f"{name}.log")
            return Course(cases, place / name, job, cluster.address, fault)

        rows = {"none": course("none").run()}
        rows["worker killed"] = course("worker", _kill_worker).run()
        rows["node killed"] = course("node", lambda _: _kill_node(cluster)).run()
        another_node(cluster)
        rows["driver killed, run again"] = _kill_driver(course("driver"), place / "cases", seconds)
        (place / "cases" / "0001.txt").write_text("crash")
        rows["a scan that crashes its process"] = course("crash").run()
        (place / "cases" / "0001.txt").write_text("scan")
        rows["disk full, run again with room"] = _disk_full(course("full"))
    plain = float(rows["none"][-1])
    for row in rows.values():
        row[-1] = f"{float(row[-1]) - plain:.1f}" if row[-1] else "-"
    print(markdown(_COLUMNS, [[name, *row] for name, row in rows.items()]))


def _figures(rows: Sequence[Row], output: Path, job: SleepingJob, seconds: float) -> list[str]:
    whole = [row for row in rows if row.state == "done" and _size(output / f"{row.name}.bin") == job.size_bytes]
    aside = sum(row.state in ("refused", "lost") for row in rows)
    lines = (job.log or output).read_text().splitlines()
    written = Counter(line for line in lines if line.startswith("written"))
    again = sum(written.values()) - len(written)
    lost = len(lines) - sum(written.values()) - len(written)
    return [str(len(rows)), str(len(whole)), str(aside), str(lost), str(again), f"{seconds:.1f}"]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else -1


def _kill_worker(name: str) -> None:
    os.kill(int(name.rpartition(":")[2]), signal.SIGKILL)


def _kill_node(cluster: Any) -> None:
    """Without waiting: its processes go while the run goes on."""
    node = cluster.list_all_nodes()[-1]
    threading.Thread(target=cluster.remove_node, args=(node, False)).start()


def _kill_driver(course: Course, cases: Path, seconds: float) -> list[str]:
    """A driver in a process of its own, killed when it is a third through; this process goes on with its run."""
    started = time.perf_counter()
    arguments = [
        str(cases),
        str(course.output),
        course.address,
        str(len(course.cases)),
        str(seconds),
        str(course.job.log),
    ]
    driver = subprocess.Popen([sys.executable, "-m", "benchmarks.cohort_driver", *arguments])
    while len(list(course.output.glob("*.bin"))) * 3 < len(course.cases):
        if driver.poll() is not None:
            raise RuntimeError("the driver has ended by itself")
        time.sleep(0.1)
    driver.kill()
    driver.wait()
    row = course.run()
    return [*row[:-1], f"{time.perf_counter() - started:.1f}"]


def _disk_full(course: Course) -> list[str]:
    """A file system with room for half of the files; when the run has given up it is made larger."""
    course.job = replace(course.job, size_bytes=_CHUNK_BYTES)
    started = time.perf_counter()
    with _small_disk(course.output, len(course.cases) * _CHUNK_BYTES // 2 + 2**18) as mounted:
        if not mounted:
            return [str(len(course.cases)), "cannot mount a tmpfs here", "", "", "", ""]
        try:
            course.run()
        except InputError as error:  # the manifest lies there too
            print(f"disk full: {error}\n")
        _mount("remount,size=64m", course.output)
        row = course.run()
        return [*row[:-1], f"{time.perf_counter() - started:.1f}"]


@contextmanager
def _small_disk(folder: Path, size_bytes: int) -> Iterator[bool]:
    """Whether a file system of that size could be mounted at a folder."""
    folder.mkdir(parents=True)
    if not _mount(f"size={size_bytes}", folder):
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607


def _mount(options: str, folder: Path) -> bool:
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], check=False)  # noqa: S607
    return done.returncode == 0


if __name__ == "__main__":
    typer.run(main)
