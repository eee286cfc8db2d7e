"""Datasets of fusion samples, with augmentation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import Dataset

from ivos.errors import InputError, counted
from ivos.training.fusion.samples import Samples, make_samples, read_samples

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from ivos.propagation.engines.protocol import Engine
    from ivos.types import Progress

FusionSample = tuple["Tensor", "Tensor"]
"""Planes (8, S, S) in [0, 1] and shares (2,): see :class:`ivos.training.fusion.samples.Samples`."""

_IMAGES = 3  # planes that hold the slice
_CONTRAST, _BRIGHTNESS = 0.3, 0.15


class FusionData(Dataset[FusionSample]):
    """Samples held in memory, which takes 74 kB each.

    Args:
        samples: of one scan after another.
        seed: of what is drawn; None to give each sample once, as it is.
    """

    def __init__(self, samples: Sequence[Samples], seed: int | None = None) -> None:
        self._planes = np.concatenate([some.planes for some in samples])
        self._shares = np.concatenate([some.shares for some in samples])
        self._sessions = np.concatenate([np.full(len(some.planes), some.number) for some in samples])
        self._seed = seed

    def __len__(self) -> int:
        return len(self._planes)

    def __getitem__(self, number: int) -> FusionSample:
        """The sample of a number; with a seed any number may be asked for, and gives one at random."""
        if self._seed is None:
            return _tensor(self._planes[number]), torch.from_numpy(self._shares[number])
        rng = np.random.default_rng((self._seed, number))
        place = self._place(rng)
        planes = torch.rot90(_tensor(self._planes[place]), int(rng.integers(4)), (1, 2))
        if rng.random() < 0.5:
            planes = planes.flip(2)
        factor, offset = 1 + rng.uniform(-_CONTRAST, _CONTRAST), rng.uniform(-_BRIGHTNESS, _BRIGHTNESS)
        image = (planes[:_IMAGES] * factor + offset).clamp(0, 1)
        return torch.cat([image, planes[_IMAGES:]]), torch.from_numpy(self._shares[place])

    def scan_of(self, number: int) -> str:
        """The name of the synthetic scan that the sample of a number is of."""
        place = number if self._seed is None else self._place(np.random.default_rng((self._seed, number)))
        return f"synthetic scan {self._sessions[place]}"

    def _place(self, rng: np.random.Generator) -> int:
        return int(rng.integers(len(self._planes)))


class NamedData(Dataset[tuple["Tensor", "Tensor", str]]):
    """Samples with the names of the scans that they are of.

    Args:
        data: drawn from with a seed.
    """

    def __init__(self, data: FusionData) -> None:
        self._data = data

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor, str]:
        """The sample of a number, and its scan."""
        return *self._data[number], self._data.scan_of(number)


def load_samples(folder: Path, numbers: range, engine: Engine, progress: Progress | None = None) -> list[Samples]:
    """The samples of the sessions of some numbers, made first where they are not in the folder yet.

    Raises:
        InputError: a damaged file, a folder that cannot be written to, or nothing to learn from in any session.
    """
    found: list[Samples] = []
    for done, number in enumerate(numbers, start=1):
        path = folder / f"{number:08d}.npz"
        make_samples(path, number, engine)
        samples = read_samples(path)
        found += [] if samples is None else [replace(samples, number=number)]
        if progress is not None:
            progress(done, len(numbers))
    if not found:
        raise InputError(f"{folder}: no usable training samples from {counted(len(numbers), 'scan')}; increase scans")
    return found


def _tensor(planes: np.ndarray) -> Tensor:
    return torch.from_numpy(planes).float() / 255
