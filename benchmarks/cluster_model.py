"""A discrete-event model of a cohort on a Ray cluster: workers, their storage, the driver, stragglers and deaths."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

_IN_HAND = 2


@dataclass(frozen=True)
class Costs:
    """What a scan and a worker cost.

    Attributes:
        work_s: computing for a scan, the median.
        spread: sigma of the logarithm of that.
        slow_share: scans that take ``slow_times`` as long.
        slow_times: see there.
        read_mb: read for a scan.
        write_mb: written for it.
        storage_mb: what the storage gives in a second, to all.
        client_mb: what one worker can take of it.
        driver_s: the driver's time for a scan.
        commits_s: of its commits to the manifest for a scan, in which it does nothing else.
        start_s: until a worker has loaded its networks.
        deaths: of a worker in an hour.
    """

    work_s: float
    spread: float
    slow_share: float
    slow_times: float
    read_mb: float
    write_mb: float
    storage_mb: float
    client_mb: float
    driver_s: float
    commits_s: float
    start_s: float
    deaths: float

    @property
    def mean_work_s(self) -> float:
        """Mean seconds of computing for a scan."""
        return self.work_s * math.exp(self.spread**2 / 2) * (1 + self.slow_share * (self.slow_times - 1))


class Clock:
    """What happens when, in that order."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Have something happen later."""
        self._count += 1
        heappush(self._events, (self.now + seconds, self._count, action))

    def step(self) -> None:
        """Let the next thing happen."""
        self.now, _, action = heappop(self._events)
        action()


class Storage:
    """Bandwidth that all transfers under way share equally.

    Each has had the same number of MB since it began as every other one meanwhile: the next to end is the one that
    needs the fewest since the storage began (processor sharing in virtual time).
    """

    def __init__(self, clock: Clock, total_mb: float, client_mb: float) -> None:
        self._clock, self._total_mb, self._client_mb = clock, total_mb, client_mb
        self._transfers: list[tuple[float, int, Callable[[], None]]] = []
        self._given_mb = 0.0  # to each that was there from the beginning
        self._at = 0.0
        self._count = 0
        self.moved_mb = 0.0

    def transfer(self, size_mb: float, action: Callable[[], None]) -> None:
        """Schedule an event for when the given number of MB has been transferred."""
        self._advance()
        self._count += 1
        self.moved_mb += size_mb
        heappush(self._transfers, (self._given_mb + size_mb, self._count, action))
        self._await()

    def _pace_mb(self) -> float:
        return min(self._client_mb, self._total_mb / max(1, len(self._transfers)))

    def _advance(self) -> None:
        self._given_mb += (self._clock.now - self._at) * self._pace_mb()
        self._at = self._clock.now

    def _await(self) -> None:
        if self._transfers:
            needed, number, _ = self._transfers[0]
            seconds = max(0.0, needed - self._given_mb) / self._pace_mb()
            self._clock.after(seconds, lambda: self._end_transfer(number, self._count))

    def _end_transfer(self, number: int, count: int) -> None:
        """The first transfer is through, unless others have come since that was foreseen."""
        if not self._transfers or self._transfers[0][1] != number or count != self._count:
            return
        self._advance()
        _, _, action = heappop(self._transfers)
        self._await()
        action()


@dataclass(eq=False)
class Worker:
    """One that has loaded its networks, and its scans.

    Attributes:
        alive: whether what it does still counts.
        in_hand: scans assigned and not reported as finished.
        read: how many of them wait to be worked on.
        reading: how many wait to be read, or are.
        working: whether it computes.
    """

    alive: bool = True
    in_hand: int = 0
    read: int = 0
    reading: deque[None] = field(default_factory=deque)
    working: bool = False


class Cohort:
    """A run over a cluster.

    Args:
        costs: of scans and workers.
        workers: how many there are.
        scans: to be done.
        seed: of what is random.
    """

    def __init__(self, costs: Costs, workers: int, scans: int, seed: int = 0) -> None:
        self._costs, self._workers, self._scans = costs, workers, scans
        self._clock = Clock()
        self._storage = Storage(self._clock, costs.storage_mb, costs.client_mb)
        self._random = np.random.default_rng(seed)
        self._waiting = scans
        self._driver_free = 0.0
        self._ended: list[float] = []
        self.worked_s = self.told_s = 0.0
        self.lost = 0

    def run(self) -> list[float]:
        """Seconds after which each scan had ended."""
        for _ in range(self._workers):
            self._clock.after(self._costs.start_s * self._random.uniform(0.8, 1.5), self._join)
        while len(self._ended) < self._scans:
            self._clock.step()
        return self._ended

    @property
    def moved_mb(self) -> float:
        """What went through the storage."""
        return self._storage.moved_mb

    def _join(self) -> None:
        worker = Worker()
        if self._costs.deaths:
            self._clock.after(self._random.exponential(3600 / self._costs.deaths), lambda: self._die(worker))
        for _ in range(_IN_HAND):
            self._ask(worker)

    def _die(self, worker: Worker) -> None:
        worker.alive = False
        self.lost += worker.in_hand
        self._waiting += worker.in_hand
        self._clock.after(self._costs.start_s, self._join)

    def _ask(self, worker: Worker) -> None:
        """The driver hands it a scan when it comes to it."""
        if not self._waiting:
            return  # the scans of a worker that dies now go to the one that takes its place
        self._waiting -= 1
        worker.in_hand += 1
        needed_s = self._costs.driver_s + self._costs.commits_s
        self._driver_free = max(self._clock.now, self._driver_free) + needed_s
        self.told_s += needed_s
        self._clock.after(self._driver_free - self._clock.now, lambda: self._assign(worker))

    def _assign(self, worker: Worker) -> None:
        worker.reading.append(None)
        if len(worker.reading) == 1:
            self._storage.transfer(self._costs.read_mb, lambda: self._has_read(worker))

    def _has_read(self, worker: Worker) -> None:
        worker.reading.popleft()
        worker.read += 1
        if worker.alive:
            if worker.reading:
                self._storage.transfer(self._costs.read_mb, lambda: self._has_read(worker))
            self._work(worker)

    def _work(self, worker: Worker) -> None:
        if worker.working or not worker.read or not worker.alive:
            return
        worker.read, worker.working = worker.read - 1, True
        seconds = self._costs.work_s * self._random.lognormal(0.0, self._costs.spread)
        if self._random.random() < self._costs.slow_share:
            seconds *= self._costs.slow_times
        self._clock.after(seconds, lambda: self._has_worked(worker, seconds))

    def _has_worked(self, worker: Worker, seconds: float) -> None:
        worker.working = False
        if worker.alive:
            self.worked_s += seconds
            self._storage.transfer(self._costs.write_mb, lambda: self._has_written(worker))
            self._work(worker)

    def _has_written(self, worker: Worker) -> None:
        if worker.alive:
            worker.in_hand -= 1
            self._ended.append(self._clock.now)
            self._ask(worker)
