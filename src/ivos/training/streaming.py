"""Data loading that trainings share: infinite sample numbers and examples, worker processes of low priority."""

from __future__ import annotations

import os
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, Sampler, get_worker_info

if TYPE_CHECKING:
    from collections.abc import Iterator

Example = TypeVar("Example")


class InfiniteSampler(Sampler[int]):
    """The sample numbers ``first``, ``first + step``, ``first + 2 * step`` and so on."""

    def __init__(self, first: int, step: int) -> None:
        self._first, self._step = first, step

    def __iter__(self) -> Iterator[int]:
        number = self._first
        while True:
            yield number
            number += self._step


class StreamingDataset(IterableDataset[Example]):
    """Infinite examples, generated scan by scan and shuffled in a buffer so that those of one scan are spread out.

    Args:
        stream: part of the random seed, different for each kind of example.
        waiting: size of the shuffle buffer, in examples.
        first: number of the first scan; a resumed training starts where it stopped.
        step: from one scan to the next, where several processes share them; each one's workers share its scans.
    """

    def __init__(self, *, stream: int, waiting: int, first: int, step: int) -> None:
        super().__init__()
        self._stream, self._waiting, self._first, self._step = stream, waiting, first, step

    @abstractmethod
    def examples(self, number: int, rng: np.random.Generator) -> Iterator[Example]:
        """The examples of one scan, given by its number."""

    def __iter__(self) -> Iterator[Example]:
        """Examples without end."""
        worker, number, step = get_worker_info(), self._first, self._step
        if worker is not None:
            torch.set_num_threads(1)  # the training needs the others
            number, step = number + worker.id * step, step * worker.num_workers
        waiting: list[Example] = []
        while True:
            rng = np.random.default_rng((number, self._stream))
            for example in self.examples(number, rng):
                waiting.append(example)
                if len(waiting) >= self._waiting:
                    yield waiting.pop(int(rng.integers(len(waiting))))
            number += step


def streaming_loader(examples: StreamingDataset[Example], workers: int) -> DataLoader[Any]:
    """Single examples from worker processes that leave the cores to the training.

    Args:
        examples: to load.
        workers: processes; 0 loads in this one.
    """
    return DataLoader(
        examples,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=32 if workers else None,
        worker_init_fn=lower_priority,
    )


def lower_priority(worker: int) -> None:  # noqa: ARG001
    """Lower the priority of a worker process: the training waits for all its threads at every layer."""
    if hasattr(os, "nice"):
        os.nice(10)
