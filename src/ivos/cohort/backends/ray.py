"""Cases over the machines of a Ray cluster: actors that load once, on every node that is there or joins."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ivos.cohort.backends.pipeline import IN_HAND
from ivos.cohort.backends.ray_actors import RayActorPool, Share
from ivos.cohort.backends.ray_cluster import joined, marked

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from pathlib import Path

    from ivos.cohort.backends.protocol import CaseStarted, Outcome
    from ivos.pipelines.protocol import Case, Job


@dataclass(frozen=True)
class RayBackend:
    """Actors on a cluster, replaced when they die; what is given to one that dies is lost, not repeated.

    Each node has one actor a GPU, or one for each group of cores where it has none. Workers have to see inputs and the
    output folder under the same paths, and to have the same version of ivos.

    Attributes:
        address: ``"auto"``, ``"local"`` or ``"HOST:PORT"``, see :func:`ivos.cohort.backends.ray_cluster.joined`.
        workers: actors in all, at most; by default as many as the nodes hold.
        cpus_each: cores of an actor; by default 4, fewer on smaller nodes and 1 beside a GPU.
        gpus_each: GPUs of an actor, 0.5 for two that share one, 0 for none; by default 1 on nodes that have any.
    """

    address: str = "auto"
    workers: int | None = None
    cpus_each: int | None = None
    gpus_each: float | None = None

    def run(
        self, job: Job, cases: Iterable[Case], output: Path, *, ahead: bool = True
    ) -> Generator[CaseStarted | Outcome, None, None]:
        output = output.absolute()
        with joined(self.address), marked(output) as mark:
            actors = RayActorPool(job, output, mark, Share(self.cpus_each, self.gpus_each), self.workers)
            try:
                yield from _run(actors, iter(cases), IN_HAND if ahead else 1)
            finally:
                actors.dismiss()


def _run(actors: RayActorPool, cases: Iterator[Case], in_hand: int) -> Iterator[CaseStarted | Outcome]:
    returned: deque[Case] = deque()  # by nodes that could not take them
    while True:
        actors.scale_up()
        while (actor := actors.free(in_hand)) and (case := returned.popleft() if returned else next(cases, None)):
            yield from actor.give(case)
        if not returned and not actors.busy and actors.free(in_hand):
            return
        yield from actors.poll(returned)
