"""Samples for the refinement network: parts of stored crops, augmented and damaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ivos.nets.refine import NUMBERS, PLANES
from ivos.training.refine.crops import Crop, load_crops, part_of
from ivos.training.refine.damage import damage
from ivos.training.streaming import StreamingDataset

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from torch import Tensor

    from ivos.types import FloatArray

_MOST_SLICES = 24
_LEAST_CELLS = 30
_DAMAGED = 0.5
_OTHERS_UNKNOWN = 0.3
_WIDE, _CLOSE, _LIKELIHOOD, _OTHERS = (PLANES.index(n) for n in ("wide", "close", "likelihood", "others"))
_TURNED = [NUMBERS.index(n) for n in ("present", "absent", "until", "since", "has after", "has before", "nearest")]
_MIXED = 24


@dataclass(frozen=True)
class Sample:
    """A part of a crop as the network is shown it, and the truth.

    Attributes:
        planes: (Z, P, rows, columns).
        numbers: (Z, N).
        scalars: (2,).
        asked: (Z,).
        truth: (Z, rows, columns).
        case: the volume that it is of.
    """

    planes: FloatArray
    numbers: FloatArray
    scalars: FloatArray
    asked: FloatArray
    truth: FloatArray
    case: str


@dataclass(frozen=True)
class Batch:
    """Samples side by side, filled up to the largest.

    Attributes:
        planes: (B, Z, P, H, W).
        numbers: (B, Z, N).
        scalars: (B, 2).
        counted: (B, Z, H, W) 1 where the loss looks.
        truth: (B, Z, H, W).
        cases: the volumes that they are of.
    """

    planes: Tensor
    numbers: Tensor
    scalars: Tensor
    counted: Tensor
    truth: Tensor
    cases: tuple[str, ...]

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        planes, numbers, scalars = self.planes.to(device), self.numbers.to(device), self.scalars.to(device)
        return Batch(planes, numbers, scalars, self.counted.to(device), self.truth.to(device), self.cases)


class Samples(StreamingDataset[Sample]):
    """Samples without end from files of crops.

    Args:
        files: written by :func:`ivos.training.refine.crops.save_crops`.
        first: number of the first draw; a resumed training starts where it stopped.
        step: from one to the next, where several processes share them.
    """

    def __init__(self, files: Sequence[Path], *, first: int = 0, step: int = 1) -> None:
        super().__init__(stream=9, waiting=_MIXED, first=first, step=step)
        self._files = tuple(files)

    def examples(self, number: int, rng: np.random.Generator) -> Iterator[Sample]:  # noqa: ARG002 - the generator tells
        """Crops of one file, those that were followed well more often: they are more like real ones."""
        crops = [c for c in load_crops(self._files[int(rng.integers(len(self._files)))]) if _is_usable(c)]
        for crop in crops:
            if rng.random() < _keep(crop):
                yield augment(crop, rng)


def full_sample(crop: Crop) -> Sample:
    """A crop as it is."""
    evidence = crop.evidence()
    truth = np.asarray(crop.truth / np.float32(255), np.float32)
    return Sample(evidence.planes, evidence.numbers, evidence.scalars, crop.asked.astype(np.float32), truth, crop.case)


def augment(crop: Crop, rng: np.random.Generator) -> Sample:
    """A part of a crop, mirrored, in other contrast, its mask damaged in half of the cases."""
    count = len(crop.planes)
    if count > _MOST_SLICES and rng.random() < 0.8:
        first = int(rng.integers(count - _MOST_SLICES + 1))
        crop = part_of(crop, slice(first, first + _MOST_SLICES))
    elif count > 2 * _MOST_SLICES:
        crop = part_of(crop, slice(0, 2 * _MOST_SLICES))
    sample = full_sample(crop)
    planes, numbers, truth = sample.planes, sample.numbers, sample.truth
    if rng.random() < _DAMAGED:
        damage(planes, numbers, crop.asked, truth, rng)
    if rng.random() < _OTHERS_UNKNOWN:
        planes[:, _OTHERS] = 0
    _change_contrast(planes, rng)
    asked = sample.asked
    if rng.random() < 0.5:
        planes, truth, asked, numbers = planes[::-1], truth[::-1], asked[::-1], numbers[::-1][:, _TURNED]
    for axis in (-1, -2):
        if rng.random() < 0.5:
            planes, truth = np.flip(planes, axis), np.flip(truth, axis)
    if rng.random() < 0.5:
        planes, truth = planes.swapaxes(-1, -2), truth.swapaxes(-1, -2)
    planes, numbers, asked, truth = (np.ascontiguousarray(part) for part in (planes, numbers, asked, truth))
    return Sample(planes, numbers, sample.scalars, asked, truth, crop.case)


def _change_contrast(planes: FloatArray, rng: np.random.Generator) -> None:
    """Of the two views of the image, in place."""
    if rng.random() < 0.3:
        planes[:, (_WIDE, _CLOSE)] = 1 - planes[:, (_WIDE, _CLOSE)]
    if rng.random() < 0.5:
        planes[:, _WIDE] = np.clip(planes[:, _WIDE], 1e-4, 1) ** float(np.exp(rng.normal(0, 0.3)))
    if rng.random() < 0.5:
        stretched = (planes[:, _CLOSE] - 0.5) * float(np.exp(rng.normal(0, 0.25))) + 0.5 + float(rng.normal(0, 0.04))
        planes[:, _CLOSE] = np.clip(stretched, 0, 1)
    if rng.random() < 0.3:
        noise = rng.standard_normal(planes[:, _WIDE].shape, np.float32) * np.float32(rng.uniform(0, 0.06))
        planes[:, _WIDE] += noise / 2
        planes[:, _CLOSE] += noise


def collate(samples: list[Sample]) -> Batch:
    """Samples as one batch; what was added to a smaller one is known to be absent, and not counted."""
    depth = max(len(s.planes) for s in samples)
    height, width = (max(s.planes.shape[axis] for s in samples) for axis in (2, 3))
    count = len(samples)
    planes = np.zeros((count, depth, len(PLANES), height, width), np.float32)
    numbers = np.zeros((count, depth, len(NUMBERS)), np.float32)
    numbers[:, :, NUMBERS.index("absent")] = 1
    counted, truth = (np.zeros((count, depth, height, width), np.float32) for _ in range(2))
    for place, sample in enumerate(samples):
        z, _, y, x = sample.planes.shape
        planes[place, :z, :, :y, :x] = sample.planes
        numbers[place, :z] = sample.numbers
        counted[place, :z, :y, :x] = sample.asked[:, None, None]
        truth[place, :z, :y, :x] = sample.truth
    scalars = np.stack([sample.scalars for sample in samples])
    return Batch(
        torch.from_numpy(planes),
        torch.from_numpy(numbers),
        torch.from_numpy(scalars),
        torch.from_numpy(counted),
        torch.from_numpy(truth),
        tuple(sample.case for sample in samples),
    )


def _is_usable(crop: Crop) -> bool:
    return bool(crop.asked.any()) and int((crop.truth > 127).sum()) >= _LEAST_CELLS


def _keep(crop: Crop) -> float:
    """The share of draws in which a crop is used."""
    return next(share for least, share in ((0.7, 1.0), (0.5, 0.6), (0.25, 0.3), (0.0, 0.1)) if crop.dsc >= least)


def held_out_samples(files: Sequence[Path]) -> list[Sample]:
    """All usable crops of some files, as they are."""
    return [full_sample(crop) for path in files for crop in load_crops(path) if _is_usable(crop)]
