"""Endless sequences of synthetic slices to learn propagation from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from ivos.phantom import abdomen, random_shapes
from ivos.volume.windows import channels, windows_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ivos.phantom import Phantom
    from ivos.propagation.engines.protocol import FloatArray

_SHAPE = (24, 128, 128)
_ABDOMENS = 0.25  # share of scans that are phantom abdomens
_PER_SCAN = 6  # sequences taken from each scan before it is let go
_LEAST_PIXELS = 12


@dataclass(frozen=True)
class Sequence:
    """Slices in walking order, the drawn one first, and what one structure is on them.

    Attributes:
        images: (T, C, H, W) windows in [0, 1].
        masks: (T, H, W) the structure.
        others: (T, H, W) all other structures.
        numbers: the slices' numbers.
    """

    images: FloatArray
    masks: FloatArray
    others: FloatArray
    numbers: tuple[int, ...]


class Sequences(IterableDataset[Sequence]):
    """Sequences from scan after scan, no scan ever twice.

    Args:
        seed: of the stream; workers take every n-th scan.
        first: number of the first scan, to go on where a training stopped.
        length: slices after the drawn one.
    """

    def __init__(self, seed: int, *, length: int, first: int = 0) -> None:
        super().__init__()
        self._seed, self._length, self._first = seed, length, first

    def __iter__(self) -> Iterator[Sequence]:
        """Sequences without end."""
        worker = get_worker_info()
        torch.set_num_threads(1)
        number, step = (self._first, 1) if worker is None else (self._first + worker.id, worker.num_workers)
        while True:
            scan_seed = self._seed * 1_000_000 + number
            rng = np.random.default_rng((scan_seed, 1))
            yield from _taken(_scan(scan_seed, rng), self._length, rng)
            number += step


def _scan(seed: int, rng: np.random.Generator) -> Phantom:
    if rng.random() < _ABDOMENS:
        plane_mm, through_mm = float(rng.uniform(1.6, 3.2)), float(rng.uniform(1.5, 6))
        shape = (int(rng.integers(24, 60)), 160, 160)
        return abdomen(seed, shape=shape, spacing_mm=(through_mm, plane_mm, plane_mm))
    return random_shapes(seed, shape=_SHAPE)


def _taken(scan: Phantom, length: int, rng: np.random.Generator) -> Iterator[Sequence]:
    labels, intensities = scan.labels.array, scan.scan.array
    windows = windows_for(scan.scan)
    drawable = np.argwhere([[(plane == k).sum() >= _LEAST_PIXELS for k in range(1, 14)] for plane in labels])
    if not len(drawable):
        return
    for start, k in drawable[rng.integers(len(drawable), size=_PER_SCAN)]:
        step = int(rng.choice([-2, -1, -1, 1, 1, 2]))
        numbers = [n for n in range(start, start + step * (length + 1), step) if 0 <= n < len(labels)]
        if len(numbers) <= length // 2:
            continue
        numbers += [numbers[-1]] * (length + 1 - len(numbers))  # the scan's end: the last slice again
        yield Sequence(
            images=np.stack([channels(intensities[n], windows) for n in numbers]),
            masks=(labels[numbers] == k + 1).astype(np.float32),
            others=((labels[numbers] != k + 1) & (labels[numbers] > 0)).astype(np.float32),
            numbers=tuple(int(n) for n in numbers),
        )
