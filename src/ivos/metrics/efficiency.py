"""Resource use of a program: running time, RAM, CPU and GPU memory, by the figures of the FLARE22 challenge.

The challenge looks at the machine every 0.1 s and ranks by running time, maximum GPU memory, the area under the GPU
memory-time curve and the area under the CPU utilisation-time curve, with RAM beside them. The same figures here, with
these differences:

- The challenge has a machine to itself and counts all that runs on it; here count a process and its descendants.
- An area is the integral over the times at which was really looked, not the sum of the samples times 0.1 s, and a
  maximum is the largest sample, where the challenge leaves out GPU values that fewer than 2 % of its samples have.
- CPU utilisation is, as there, a share of the whole machine: 100 % is every logical core at work. The challenge's
  formula adds 0.1 s to the time that passed, so that an idle machine is not at 0 %; this one does not.

RAM is the sum of the processes' resident memory (RSS). Pages that several of them share count once in each, so forked
workers look larger than they are; the proportional share (PSS) would be right, but the kernel takes more than 10 ms per
GB for it, every time, which is too much for ten times a second. MB are 2^20 bytes.

CPU time is what the kernel has booked on the processes and, through their parents, on the children that have ended, so
what happens between two samples counts, children that live shorter than that too. What detaches itself from its
parent counts up to its last sample, and not at all if it does so before its first.

References:
    Ma et al., Unleashing the strengths of unlabelled data in deep learning-assisted pan-cancer abdominal organ
    quantification: the FLARE22 challenge, Lancet Digital Health 2024.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import psutil

from ivos.metrics.processes import Gpus, ProcessTree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

PERIOD_S = 0.1
"""Time between two samples, the challenge's."""

_MB = 2**20


@dataclass(frozen=True, slots=True)
class Sample:
    """What was in use at one moment.

    Attributes:
        seconds: since the interval's start.
        ram_mb: resident memory.
        cpu_percent: mean CPU utilisation since the sample before; 100 is every core of the machine.
        gpu_mb: GPU memory; None without a GPU.
    """

    seconds: float
    ram_mb: float
    cpu_percent: float
    gpu_mb: float | None


@dataclass(frozen=True)
class Efficiency:
    """What an interval has cost.

    Attributes:
        seconds: running time.
        peak_ram_mb: largest RAM of a sample.
        cpu_seconds: CPU time of all processes together.
        peak_gpu_mb: largest GPU memory of a sample; None without a GPU.
        cpu_percent_s: area under the CPU utilisation-time curve, per cent of the whole machine times seconds.
        gpu_mb_s: area under the GPU memory-time curve, MB times seconds; None without a GPU.
        samples: the curves, from the interval's start to its end.
    """

    seconds: float
    peak_ram_mb: float
    cpu_seconds: float
    peak_gpu_mb: float | None
    cpu_percent_s: float
    gpu_mb_s: float | None
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class _Reading:
    at_s: float
    ram_bytes: int
    cpu_s: float
    gpu_bytes: int | None


class Interval:
    """A part of the time that a sampler runs, and the process that it looks at then."""

    def __init__(self, pid: int) -> None:
        self._tree = ProcessTree(pid)
        self._readings: list[_Reading] = []

    def efficiency(self) -> Efficiency:
        """What the interval has cost; to be asked for after its end."""
        samples = self._samples()
        first, last = self._readings[0], self._readings[-1]
        gpu_mb = [sample.gpu_mb for sample in samples if sample.gpu_mb is not None]
        cpu_s = last.cpu_s - first.cpu_s
        return Efficiency(
            seconds=last.at_s - first.at_s,
            peak_ram_mb=max(sample.ram_mb for sample in samples),
            cpu_seconds=cpu_s,
            peak_gpu_mb=max(gpu_mb, default=None),
            cpu_percent_s=100 * cpu_s / _cores(),
            gpu_mb_s=_gpu_area(samples) if gpu_mb else None,
            samples=samples,
        )

    def _read(self, gpus: Gpus) -> None:
        cpu_s, ram_bytes = self._tree.read()
        at_s = time.perf_counter()
        self._readings.append(_Reading(at_s, ram_bytes, cpu_s, gpus.used_bytes(self._tree.pids())))

    def _samples(self) -> tuple[Sample, ...]:
        start = self._readings[0]
        samples = [_sample(start, start, 0.0)]
        for before, now in pairwise(self._readings):
            passed_s = now.at_s - before.at_s
            if passed_s < PERIOD_S / 2:  # CPU time comes in steps of 10 ms: too coarse for the little that is left over
                cpu_percent = samples[-1].cpu_percent
            else:
                cpu_percent = min(100 * (now.cpu_s - before.cpu_s) / passed_s / _cores(), 100.0)
            samples.append(_sample(start, now, cpu_percent))
        return tuple(samples)


class Sampler:
    """Looks at processes and their descendants every 0.1 s, from a thread of this process, while its block runs.

    Of this process it takes some 0.2 to 2 % of a core. Example::

        with Sampler() as sampler:
            for case in cases:
                with sampler.interval() as interval:
                    work_on(case)
                print(interval.efficiency().seconds)
    """

    def __init__(self) -> None:
        self._gpus = Gpus()
        self._open: list[Interval] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="efficiency", daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._gpus.close()

    @contextmanager
    def interval(self, pid: int | None = None) -> Iterator[Interval]:
        """An interval that lasts as long as the block; intervals may overlap.

        Args:
            pid: the process; by default this one.

        Raises:
            psutil.NoSuchProcess: there is no such process.
        """
        interval = Interval(os.getpid() if pid is None else pid)
        with self._lock:
            interval._read(self._gpus)
            self._open.append(interval)
        try:
            yield interval
        finally:
            with self._lock:
                self._open.remove(interval)
                interval._read(self._gpus)

    def _watch(self) -> None:
        due_s = time.perf_counter()
        while not self._ended.wait(max(due_s - time.perf_counter(), 0)):
            with self._lock:
                for interval in self._open:
                    interval._read(self._gpus)
            due_s = max(due_s + PERIOD_S, time.perf_counter())


def _sample(start: _Reading, now: _Reading, cpu_percent: float) -> Sample:
    return Sample(
        seconds=now.at_s - start.at_s,
        ram_mb=now.ram_bytes / _MB,
        cpu_percent=cpu_percent,
        gpu_mb=None if now.gpu_bytes is None else now.gpu_bytes / _MB,
    )


def _gpu_area(samples: Sequence[Sample]) -> float:
    """Area under the GPU memory-time curve by the trapezoidal rule."""
    return sum(
        (now.seconds - before.seconds) * ((now.gpu_mb or 0) + (before.gpu_mb or 0)) / 2
        for before, now in pairwise(samples)
    )


def _cores() -> int:
    return psutil.cpu_count() or 1
