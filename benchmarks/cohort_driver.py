"""A driver that can be killed: sleeping cases over a Ray cluster.

python -m benchmarks.cohort_driver CASES OUTPUT ADDRESS COUNT SECONDS LOG
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.cluster import SleepingJob, small_cases
from ivos.cohort.backends.ray import RayBackend
from ivos.cohort.run import run_cohort


def main(folder: str, output: str, address: str, count: str, seconds: str, log: str) -> None:
    """Run them all, or what an earlier driver has left."""
    job, cases = SleepingJob(float(seconds), log=Path(log)), small_cases(Path(folder), int(count))
    run_cohort(job, cases, Path(output), RayBackend(address, cpus_each=1)).close()


if __name__ == "__main__":
    main(*sys.argv[1:])
