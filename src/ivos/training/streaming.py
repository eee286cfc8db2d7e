"""Endless examples from scan after scan, made on the way."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

if TYPE_CHECKING:
    from collections.abc import Iterator

Example = TypeVar("Example")


class StreamingDataset(IterableDataset[Example]):
    """Examples from scan after scan, mixed, so that those of one scan do not come together.

    Args:
        stream: tells apart what is drawn for one kind of examples from the others.
        waiting: examples that are mixed.
        first: number of the first scan, to go on where a training stopped.
        step: from one scan to the next, where several processes share them; each one's workers share its scans.
    """

    def __init__(self, *, stream: int, waiting: int, first: int, step: int) -> None:
        super().__init__()
        self._stream, self._waiting, self._first, self._step = stream, waiting, first, step

    @abstractmethod
    def examples(self, number: int, rng: np.random.Generator) -> Iterator[Example]:
        """Those of the scan of a number."""

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
