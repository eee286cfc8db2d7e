"""Which samples a process takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.utils.data import Sampler

if TYPE_CHECKING:
    from collections.abc import Iterator


class InfiniteSampler(Sampler[int]):
    """Sample numbers from one on, every so many, without end."""

    def __init__(self, first: int, step: int) -> None:
        self._first, self._step = first, step

    def __iter__(self) -> Iterator[int]:
        number = self._first
        while True:
            yield number
            number += self._step
