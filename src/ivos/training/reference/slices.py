"""Training samples from slices of prepared scans, with augmentation.

Sample ``i`` is the same in every run and in every process: a resumed run continues with the samples that
it has not seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from ivos.segmentation.slices import at_size, relative_position, with_neighbours
from ivos.training.data.store import UNKNOWN, StoredScan

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from ivos.types import FloatArray

IGNORED = -1
"""Class of pixels that say nothing: those beyond the slice, and those whose label is unknown."""

_BY_STRUCTURE = 0.5  # share of labelled samples that are drawn for a structure, so that small ones are seen often
_EMPTY_KEPT = 0.25  # share of the other samples that may be any slice; the rest shows something
_TURN_DEGREES, _ZOOM, _SHIFT = 15.0, (0.8, 1.25), 0.06


@dataclass(frozen=True)
class Sample:
    """A slice, ready for a network.

    Attributes:
        image: (C, S, S) in [0, 1]; the neighbours' windows behind the slice's own.
        labels: (S, S) class numbers, 0 for background, :data:`IGNORED` beyond the slice and where the labels
            say nothing; of a slice without labels 0 wherever it reaches.
        position: its place in the scan, 0..1.
        case: of the scan.
    """

    image: FloatArray
    labels: npt.NDArray[np.int64]
    position: float
    case: str = ""


class LabelledSlices(Dataset[Sample]):
    """Slices of labelled scans, drawn so that every structure comes as often.

    Args:
        paths: stored scans.
        structures: label ids; class ``k + 1`` is the k-th of them, others are background.
        size: side of the samples.
        neighbours: slices on each side whose windows are given too.
        seed: of the draw.
    """

    def __init__(
        self, paths: Sequence[Path], structures: Sequence[int], *, size: int, neighbours: int, seed: int
    ) -> None:
        self._scans = [StoredScan(path) for path in paths]
        self._size, self._neighbours, self._seed = size, neighbours, seed
        self._classes = _class_table(structures)
        showing = [[(n, z) for n, scan in enumerate(self._scans) for z in scan.info.showing(k)] for k in structures]
        self._showing = [places for places in showing if places]
        self._any = sorted({place for places in showing for place in places})

    def __getitem__(self, number: int) -> Sample:
        rng = np.random.default_rng((self._seed, number))
        scan, index = self._random_slice(rng)
        drawn = self._scans[scan]
        image, labels = _load_slice(drawn, index, self._neighbours)
        sample = augment(image, self._classes[labels], relative_position(index, len(drawn)), self._size, rng)
        return replace(sample, case=drawn.info.case)

    def _random_slice(self, rng: np.random.Generator) -> tuple[int, int]:
        if self._showing and rng.random() < _BY_STRUCTURE:
            places = self._showing[int(rng.integers(len(self._showing)))]
        elif self._any and rng.random() > _EMPTY_KEPT:
            places = self._any
        else:
            scan = int(rng.integers(len(self._scans)))
            return scan, int(rng.integers(len(self._scans[scan])))
        return places[int(rng.integers(len(places)))]


class Alternating(Dataset[Sample]):
    """Samples of several sets in turn, so that each has the same share however many scans it has."""

    def __init__(self, sets: Sequence[Dataset[Sample]]) -> None:
        self._sets = sets

    def __getitem__(self, number: int) -> Sample:
        return self._sets[number % len(self._sets)][number]


class UnlabelledSlices(Dataset[Sample]):
    """Slices of scans whose labels are not looked at.

    Args:
        paths: stored scans.
        size: side of the samples.
        neighbours: slices on each side whose windows are given too.
        seed: of the draw.
    """

    def __init__(self, paths: Sequence[Path], *, size: int, neighbours: int, seed: int) -> None:
        self._scans = [StoredScan(path) for path in paths]
        self._size, self._neighbours, self._seed = size, neighbours, seed

    def __getitem__(self, number: int) -> Sample:
        rng = np.random.default_rng((self._seed, number))
        scan = self._scans[int(rng.integers(len(self._scans)))]
        index = int(rng.integers(len(scan)))
        image, _ = _load_slice(scan, index, self._neighbours)
        sample = augment(
            image, np.zeros(image.shape[1:], np.int64), relative_position(index, len(scan)), self._size, rng
        )
        return replace(sample, case=scan.info.case)


def collate(samples: Sequence[Sample]) -> dict[str, Any]:
    """A batch: images (B, C, S, S), labels (B, S, S), positions (B,), and the names of cases."""
    return {
        "image": torch.from_numpy(np.stack([sample.image for sample in samples])),
        "labels": torch.from_numpy(np.stack([sample.labels for sample in samples])),
        "position": torch.tensor([sample.position for sample in samples], dtype=torch.float32),
        "cases": [sample.case for sample in samples],
    }


def augment(
    image: FloatArray, classes: npt.NDArray[np.int64], position: float, size: int, rng: np.random.Generator
) -> Sample:
    """A slice turned, magnified, shifted and mirrored sideways at random, in a square of ``size`` pixels.

    CT and MR slices have an up and a down: they are never mirrored upside down.
    """
    image = at_size(image, size)
    height, width = image.shape[1:]
    labels = cv2.resize(classes.astype(np.int16), (width, height), interpolation=cv2.INTER_NEAREST)
    zoom = float(np.exp(rng.uniform(*np.log(_ZOOM))))
    turn = float(rng.uniform(-_TURN_DEGREES, _TURN_DEGREES))
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, zoom)
    matrix[:, 2] += (size - 1) / 2 - np.array([width - 1, height - 1]) / 2 + rng.uniform(-_SHIFT, _SHIFT, 2) * size
    if rng.random() < 0.5:
        matrix = np.array([[-1, 0, size - 1], [0, 1, 0]]) @ np.vstack([matrix, [0, 0, 1]])
    planes = [cv2.warpAffine(plane, matrix, (size, size), flags=cv2.INTER_LINEAR) for plane in image]
    labels = cv2.warpAffine(labels, matrix, (size, size), flags=cv2.INTER_NEAREST, borderValue=float(IGNORED))
    return Sample(np.stack(planes), labels.astype(np.int64), position)


def _load_slice(scan: StoredScan, index: int, neighbours: int) -> tuple[FloatArray, npt.NDArray[np.int16]]:
    image, labels = scan.slice(index)
    if neighbours:
        image = with_neighbours(lambda n: scan.slice(n)[0], index, len(scan), neighbours)
    return image, labels if labels is not None else np.zeros(image.shape[1:], np.int16)


def _class_table(structures: Sequence[int]) -> npt.NDArray[np.int64]:
    """Label ids to class numbers; ids that are not trained are background, ignored voxels stay ignored."""
    table = np.zeros(32_768 + 1, np.int64)
    table[UNKNOWN] = IGNORED  # the last entry, which no structure's id reaches
    for k, label in enumerate(structures, start=1):
        table[label] = k
    return table
