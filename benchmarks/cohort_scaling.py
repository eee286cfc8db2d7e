"""Machines and hours for large cohorts, by simulation from what a scan was measured to cost.

python -m benchmarks.cohort_scaling [--work 40] [--read-mb 80] [--storage-mb 1000] [--driver-ms 2] ...

A discrete-event model of what `ivos.cohort` does on a Ray cluster: one driver hands scans out one after the other and
commits twice to the manifest for each; a worker has two scans, so that one is read while the other is worked on; all
read from and write to one storage, whose bandwidth they share equally; some scans take longer than others, a few far
longer; workers die at random, their unfinished scans are reassigned at the end. The defaults are of CPU workers with
4 cores; measure your own with `python -m benchmarks.cohort` and with `ivos segment --report`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from benchmarks.cluster_model import Cohort, Costs
from benchmarks.measure import markdown

_COHORTS = (2_000, 1_000_000)
_MACHINES = (1, 4, 16, 64, 256, 1024)
_SIMULATED = 20_000  # scans, or 20 a worker where that is more; the rest is extrapolated from the middle third


def main(
    work: Annotated[float, typer.Option(min=0.01, help="Computing for a scan, in seconds.")] = 40.0,
    read_mb: Annotated[float, typer.Option(min=0, help="Read for a scan.")] = 80.0,
    write_mb: Annotated[float, typer.Option(min=0, help="Written for a scan.")] = 0.05,
    storage_mb: Annotated[float, typer.Option(min=1, help="The storage's MB/s.")] = 1000.0,
    client_mb: Annotated[float, typer.Option(min=1, help="A worker's share of it at most.")] = 200.0,
    driver_ms: Annotated[float, typer.Option(min=0.01, help="Driver's time for a scan, without commits.")] = 2.0,
    commits_ms: Annotated[float, typer.Option(min=0.001, help="Of the manifest's commits for a scan.")] = 0.05,
    deaths: Annotated[float, typer.Option(min=0, help="Of a worker in an hour.")] = 0.01,
    each: Annotated[int, typer.Option(min=1, help="Workers on a machine.")] = 8,
) -> None:
    """Print hours by machines, and what is the first to be at its limit."""
    costs = Costs(
        work_s=work,
        spread=0.3,
        slow_share=0.02,
        slow_times=4.0,
        read_mb=read_mb,
        write_mb=write_mb,
        storage_mb=storage_mb,
        client_mb=client_mb,
        driver_s=driver_ms / 1000,
        commits_s=commits_ms / 1000,
        start_s=30.0,
        deaths=deaths,
    )
    rows = [_row(costs, machines, each, scans) for scans in _COHORTS for machines in _MACHINES]
    columns = [
        "scans",
        "machines",
        "hours",
        "scans/h",
        "workers busy",
        "storage busy",
        "driver busy",
        "lost, done again",
    ]
    print(markdown(columns, rows))
    print()
    limits = _limits(costs)
    print(
        markdown(
            ["limit", "scans/h", "workers that reach it", "machines"],
            [
                [
                    name,
                    f"{3600 * per_s:,.0f}",
                    f"{per_s * costs.mean_work_s:,.0f}",
                    f"{per_s * costs.mean_work_s / each:,.0f}",
                ]
                for name, per_s in limits.items()
            ],
        )
    )
    first, per_s = next(iter(limits.items()))
    print(f"\nFirst at its limit is the {first}: --workers {per_s * costs.mean_work_s:.0f} at most, or more of it.")


def _row(costs: Costs, machines: int, each: int, scans: int) -> list[str]:
    workers = machines * each
    simulated = min(scans, max(_SIMULATED, 20 * workers))
    cohort = Cohort(costs, workers, simulated)
    ended = cohort.run()
    third = simulated // 3
    pace = third / (ended[2 * third] - ended[third])
    seconds = ended[-1] + (scans - simulated) / pace
    share = seconds - costs.start_s if scans == simulated else simulated / pace
    busy = [cohort.worked_s / workers, cohort.moved_mb / costs.storage_mb, cohort.told_s]
    lost = cohort.lost * scans / simulated
    shares = [f"{min(1.0, one / share):.0%}" for one in busy]
    return [
        f"{scans:,}",
        str(machines),
        f"{seconds / 3600:.2f}",
        f"{3600 * scans / seconds:,.0f}",
        *shares,
        f"{lost:,.0f}",
    ]


def _limits(costs: Costs) -> dict[str, float]:
    """How many scans a second the shared parts let through, the lowest first."""
    limits = {
        "storage": costs.storage_mb / max(1e-9, costs.read_mb + costs.write_mb),
        "driver with its manifest": 1 / (costs.driver_s + costs.commits_s),
        "manifest's commits alone": 1 / costs.commits_s,
    }
    return dict(sorted(limits.items(), key=lambda item: item[1]))


if __name__ == "__main__":
    typer.run(main)
