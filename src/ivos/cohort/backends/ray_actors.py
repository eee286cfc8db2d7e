"""The driver's side of a Ray cluster: which nodes there are, who works on them, and what is heard of them."""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ivos.cohort.backends.pipeline import IN_HAND
from ivos.cohort.backends.protocol import CaseStarted, Outcome
from ivos.cohort.backends.ray_worker import MissingInput, RayWorker
from ivos.errors import InputError, first_line
from ivos.io.remote import is_address

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterator, Mapping

    from ivos.pipelines.protocol import Case, Job

_LOG = logging.getLogger(__name__)
_CORES = 4  # of an actor: more of them make a scan faster, but fewer scans are done an hour
_LOOK_S = 3.0  # between two looks at which nodes there are
_PATIENCE_S = 300.0  # without a node that could work; then the run ends and can be resumed
_STARTS = 3
"""Actors that may die in a row on a node before they have opened the job; then it is not chance."""


@dataclass(frozen=True)
class Share:
    """What an actor gets of a node; None: see :class:`ivos.cohort.backends.ray.RayBackend`."""

    cpus: int | None
    gpus: float | None

    def of(self, resources: Mapping[str, float]) -> tuple[int, int, float]:
        """How many actors a node holds, and cores and GPUs of each."""
        cpus_there, gpus_there = int(resources.get("CPU", 0)), resources.get("GPU", 0.0)
        gpus = self.gpus if self.gpus is not None else min(1.0, gpus_there)
        cpus = self.cpus or (1 if gpus else max(1, min(_CORES, cpus_there)))
        count = cpus_there // cpus
        return (min(count, int(gpus_there / gpus)) if gpus else count), cpus, gpus


@dataclass
class _Node:
    """A machine.

    Attributes:
        number: its id.
        host: its name.
        share: how many actors it holds, and cores and GPUs of each.
        failed_starts: actors that died in a row before they had opened the job.
        useless: why it is not used any more.
    """

    number: str
    host: str
    share: tuple[int, int, float]
    failed_starts: int = 0
    useless: str | None = None


@dataclass(eq=False)
class ActorHandle:
    """An actor on a node.

    Attributes:
        node: where.
        actor: Ray's handle.
        opening: reference to the answer whether it can be used; None once it is there.
        name: its own in outcomes.
        in_hand: cases given to it by the reference to their outcome, in that order.
    """

    node: _Node
    actor: Any
    opening: Any
    name: str = ""
    in_hand: dict[Any, Case] = field(default_factory=dict)

    def give(self, case: Case) -> Iterator[CaseStarted]:
        """Hand it a case; it begins at once if it has no other."""
        self.in_hand[self.actor.do.remote(case)] = case
        if len(self.in_hand) == 1:
            yield CaseStarted(case, self.name)

    def took(self, reference: Any) -> Iterator[CaseStarted]:
        """Strike a case off; the next one begins."""
        del self.in_hand[reference]
        if self.in_hand:
            yield CaseStarted(next(iter(self.in_hand.values())), self.name)


class RayActorPool:
    """All actors of a run.

    Args:
        job: what is done.
        output: folder for what is written, absolute.
        mark: a folder in it that only who sees the same file system sees.
        share: what an actor gets of a node.
        workers: actors at most.
    """

    def __init__(self, job: Job, output: Path, mark: Path, share: Share, workers: int | None) -> None:
        self._what = (job, output, mark)
        self._share, self._workers = share, workers
        self._nodes: dict[str, _Node] = {}
        self._placed: list[ActorHandle] = []
        self._looked = self._hopeful = time.monotonic()
        self._changed = True  # nodes or actors, since actors were last put in place
        self._look()

    @property
    def busy(self) -> bool:
        """Whether there are cases in hand."""
        return any(placed.in_hand for placed in self._placed)

    def free(self, in_hand: int) -> ActorHandle | None:
        """The one with the fewest cases of those that may have another."""
        ready = [placed for placed in self._placed if placed.opening is None and len(placed.in_hand) < in_hand]
        return min(ready, key=lambda placed: len(placed.in_hand), default=None)

    def scale_up(self) -> None:
        """Put actors where there is room for them.

        Raises:
            InputError: no node can be used, now and for some time.
        """
        if time.monotonic() - self._looked > _LOOK_S:
            self._look()
        if not self._changed:
            return
        self._changed = False
        usable = [node for node in self._nodes.values() if node.useless is None and node.share[0]]
        there = Counter(placed.node.number for placed in self._placed)
        for node in usable:
            for _ in range(node.share[0] - there[node.number]):
                if self._workers is None or len(self._placed) < self._workers:
                    self._placed.append(self._hired(node))
        if usable:
            self._hopeful = time.monotonic()
        elif any(node.useless for node in self._nodes.values()):
            raise InputError("; ".join(sorted({node.useless for node in self._nodes.values() if node.useless})))
        elif self._nodes:
            raise InputError(f"no node of the Ray cluster has what a worker needs: {self._needs()}")
        elif time.monotonic() - self._hopeful > _PATIENCE_S:
            raise InputError("the Ray cluster has lost all its nodes; the same command goes on where this one ended")

    def poll(self, returned: deque[Case]) -> Iterator[CaseStarted | Outcome]:
        """Wait for news, for some seconds at most.

        Args:
            returned: takes cases that a node could not take.
        """
        import ray

        waited_for = {reference: placed for placed in self._placed for reference in placed.in_hand}
        waited_for |= {placed.opening: placed for placed in self._placed if placed.opening is not None}
        if not waited_for:
            time.sleep(_LOOK_S)
            return
        news, _ = ray.wait(list(waited_for), num_returns=1, timeout=_LOOK_S)
        if news:
            news, _ = ray.wait(list(waited_for), num_returns=len(waited_for), timeout=0)
        for reference in news:
            placed = waited_for[reference]
            if placed in self._placed:  # and not buried by what was heard just before
                yield from self._heard(placed, reference, returned)

    def dismiss(self) -> None:
        """End all actors."""
        for placed in list(self._placed):
            self._release(placed)

    def _heard(self, placed: ActorHandle, reference: Any, returned: deque[Case]) -> Iterator[CaseStarted | Outcome]:
        import ray

        try:
            answer = ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            if reference in placed.in_hand:  # what cannot be sent, say: a defect, of this case alone
                case = placed.in_hand[reference]
                yield Outcome(case, "lost", reason=first_line(error.cause or error), worker=placed.name)
                yield from placed.took(reference)
            else:
                self._release(placed)
                self._useless(placed.node, f"{placed.node.host}: {first_line(error.cause or error)}")
        except ray.exceptions.RayError as error:
            yield from self._buried(placed, error)
        else:
            yield from self._answered(placed, reference, answer, returned)

    def _answered(
        self, placed: ActorHandle, reference: Any, answer: Any, returned: deque[Case]
    ) -> Iterator[CaseStarted | Outcome]:
        if reference is placed.opening:
            placed.opening = None
            placed.name, why = answer
            placed.node.failed_starts = 0
            if why is not None:
                self._set_aside(placed, why, returned)
        elif isinstance(answer, MissingInput):
            case = placed.in_hand[reference]
            if all(is_address(place) or Path(place).exists() for place in case.inputs.values()):
                self._set_aside(placed, answer.told, returned)
            else:  # it is not there for anybody
                yield Outcome(case, "refused", reason=f"{answer.role}: no such file or folder", worker=placed.name)
                yield from placed.took(reference)
        else:
            yield answer
            yield from placed.took(reference)

    def _buried(self, placed: ActorHandle, error: Exception) -> Iterator[Outcome]:
        """What a dead actor had in hand is lost; one that had not even opened the job is told against its node."""
        _LOG.info("%s: %s", placed.name or placed.node.host, error)
        self._release(placed)
        if placed.opening is not None:
            placed.node.failed_starts += 1
            if placed.node.failed_starts == _STARTS:
                self._useless(placed.node, f"{placed.node.host}: workers die while they load: {_last_line(error)}")
        self._look()
        where = "worker" if placed.node.number in self._nodes else "worker's machine"
        for case in placed.in_hand.values():
            yield Outcome(case, "lost", reason=f"the {where} died", worker=placed.name)

    def _set_aside(self, placed: ActorHandle, why: str, returned: deque[Case]) -> None:
        """Use a node no more; what its actor had in hand goes to others."""
        returned.extend(placed.in_hand.values())
        self._release(placed)
        self._useless(placed.node, why)

    def _useless(self, node: _Node, why: str) -> None:
        if node.useless is None:
            _LOG.warning("%s", why)
        node.useless = why

    def _release(self, placed: ActorHandle) -> None:
        import ray

        self._placed.remove(placed)
        self._changed = True
        ray.kill(placed.actor)

    def _hired(self, node: _Node) -> ActorHandle:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        _, cpus, gpus = node.share
        options = {
            "num_cpus": cpus,
            "num_gpus": gpus,
            "max_concurrency": IN_HAND,
            "scheduling_strategy": NodeAffinitySchedulingStrategy(node.number, soft=False),
        }
        actor = ray.remote(RayWorker).options(**options).remote(node.host)
        return ActorHandle(node, actor, actor.open.remote(*self._what, cpus, version("ivos")))

    def _look(self) -> None:
        """See which nodes are there."""
        import ray

        self._looked, self._changed = time.monotonic(), True
        alive = {entry["NodeID"]: entry for entry in ray.nodes() if entry["Alive"]}
        self._nodes = {number: node for number, node in self._nodes.items() if number in alive}
        for number, entry in alive.items():
            if number not in self._nodes:
                share = self._share.of(entry["Resources"])
                self._nodes[number] = _Node(number, entry["NodeManagerHostname"], share)
        for placed in list(self._placed):
            if placed.node.number not in self._nodes and placed.opening is None and not placed.in_hand:
                self._release(placed)  # nothing would be heard of its end

    def _needs(self) -> str:
        cpus = f"{self._share.cpus or 1} cores"
        return f"{cpus} and {self._share.gpus:g} GPUs" if self._share.gpus else cpus


def _last_line(error: Exception) -> str:
    """Where Ray says what went wrong."""
    return str(error).strip().splitlines()[-1].strip()
