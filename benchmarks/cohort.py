"""Throughput of a cohort: one process, two, and a Ray cluster of three nodes that are processes of this machine.

python -m benchmarks.cohort [--scans 200] [--engine nearest] [--folder DIR]

Phantom scans of 48 x 128 x 128 with the largest slice of every organ drawn are propagated with one thread a worker.
The same is done with a job that does nothing, so that what remains is the cohort's own cost for each scan: handing it
out, the answer, the manifest. `driver` is what a scan takes of the first process's processor. Start-up is from the call
until the first scan is begun; throughput is of the time after.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from benchmarks.cases import largest_slice
from benchmarks.cluster import SleepingJob, nodes_here, small_cases
from benchmarks.measure import markdown
from ivos.cohort.backends.processes import ProcessesBackend
from ivos.cohort.backends.ray import RayBackend
from ivos.cohort.backends.serial import SerialBackend
from ivos.cohort.run import run_cohort
from ivos.io.write import write_volume
from ivos.phantom import abdomen
from ivos.pipelines.propagate import PropagateJob
from ivos.pipelines.protocol import Case
from ivos.propagation.engines.protocol import EngineName  # noqa: TC001 - Typer reads it

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivos.cohort.backends.protocol import Backend
    from ivos.cohort.run import RunProgress
    from ivos.pipelines.protocol import Job
    from ivos.volume.geometry import Shape

_SHAPE: Shape = (48, 128, 128)
_FIRST_SEED = 7000
_NODES = 3


@dataclass
class Watch:
    """When the first case of a run was begun, and the last one ended."""

    started: float
    begun: float | None = None
    ended: float = 0.0

    def __call__(self, standing: RunProgress) -> None:
        """Take down how far the run is."""
        now = time.perf_counter()
        if standing.in_hand and self.begun is None:
            self.begun = now
        if standing.ended is not None:
            self.ended = now


def main(
    scans: Annotated[int, typer.Option(min=3, help="How many.")] = 200,
    engine: Annotated[EngineName, typer.Option(help="Carries masks from slice to slice.")] = "nearest",
    folder: Annotated[Path | None, typer.Option(help="Where scans are kept for the next time.")] = None,
) -> None:
    """Run both jobs over all backends."""
    with tempfile.TemporaryDirectory() as temporary, nodes_here(_NODES) as cluster:
        place = Path(temporary)
        backends: dict[str, Backend] = {
            "one process": SerialBackend(),
            "--workers 2": ProcessesBackend(2, threads_each=1),
            f"Ray, {_NODES} nodes": RayBackend(cluster.address, cpus_each=1),
        }
        jobs: dict[str, tuple[Job, list[Case]]] = {
            engine: (PropagateJob(engine=engine, device="cpu"), _phantoms(folder or place / "phantoms", scans)),
            "nothing": (SleepingJob(0.0), small_cases(place / "small", scans)),
        }
        rows = []
        for what, (job, cases) in jobs.items():
            alone = None
            for name, backend in backends.items():
                row, alone = _row(job, cases, place / f"{what} {name}", backend, alone)
                rows.append([f"{what}, {name}", *row])
        columns = [f"work, backend ({scans} scans)", "start-up, s", "scans/h", "ms/scan", "against one process"]
        print(markdown([*columns, "driver, ms", "reading, ms", "work, ms", "writing, ms"], rows))


def _row(
    job: Job, cases: Sequence[Case], output: Path, backend: Backend, alone: float | None
) -> tuple[list[str], float]:
    """A run's figures, and the seconds a scan to compare others with."""
    watch, processor_s = Watch(time.perf_counter()), time.process_time()
    with run_cohort(job, cases, output, backend, progress=watch) as manifest:
        rows = manifest.ours()
    processor_ms = 1000 * (time.process_time() - processor_s) / len(cases)
    failed = [row for row in rows if row.state != "done"]
    if failed or watch.begun is None:
        raise RuntimeError(f"{len(failed)} cases failed, the first by: {failed[0].reason if failed else 'nothing'}")
    per_scan = (watch.ended - watch.begun) / len(cases)
    steps = [f"{1000 * float(np.mean([row.seconds[step] for row in rows])):.1f}" for step in ("read", "work", "write")]
    figures = [f"{watch.begun - watch.started:.1f}", f"{3600 / per_scan:,.0f}", f"{1000 * per_scan:.1f}"]
    return [*figures, f"{(alone or per_scan) / per_scan:.2f}", f"{processor_ms:.2f}", *steps], alone or per_scan


def _phantoms(folder: Path, count: int) -> list[Case]:
    """Scans with the largest slice of every organ drawn; those that are there stay as they are."""
    cases = []
    for number in range(count):
        scan, drawn = (folder / f"{number:04d}_{what}.nii.gz" for what in ("scan", "drawn"))
        if not drawn.exists():
            phantom = abdomen(_FIRST_SEED + number, shape=_SHAPE)
            slices = sorted({largest_slice(phantom.labels, organ) for organ in phantom.labels.names})
            kept = np.zeros_like(phantom.labels.array)
            kept[slices] = phantom.labels.array[slices]
            write_volume(scan, phantom.scan)
            write_volume(drawn, phantom.labels.with_array(kept, phantom.labels.names))
        cases.append(Case(f"phantom_{number:04d}", {"scan": str(scan), "annotations": str(drawn)}))
    return cases


if __name__ == "__main__":
    typer.run(main)
