"""Infinite training slices for strokes: one structure each, and its existing mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ivos.training.fast.scans import LabelledScan, synthetic
from ivos.training.streaming import StreamingDataset
from ivos.volume.labels import structures_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from ivos.types import BoolArray, FloatArray

_PER_SCAN = 64  # examples taken from each scan before it is let go
_WAITING = 128  # examples that are mixed, so that those of one scan do not come together
_LEAST_PIXELS, _LARGEST_SHARE = 12, 0.35
_WITH_MASK = 0.4  # share of examples with a mask that is to be corrected
_WHOLE = 0.2  # share of examples of all pieces of a label on the slice, not one
_NEIGHBOURS = 4  # slices from which another slice's mask is taken


@dataclass(frozen=True)
class Example:
    """A slice with a structure on it.

    Attributes:
        windows: (3, H, W), 0..255.
        truth: (H, W) the structure; it is not empty.
        mask: (H, W) what is there already, empty for nothing.
        seed: of the strokes that are drawn on it.
        case: of the scan.
    """

    windows: npt.NDArray[np.uint8]
    truth: BoolArray
    mask: BoolArray
    seed: int
    case: str = ""

    @property
    def image(self) -> FloatArray:
        """The slice as it is seen: (3, H, W) in [0, 1]."""
        return np.asarray(self.windows / np.float32(255), np.float32)


class Examples(StreamingDataset[Example]):
    """Examples from scan after scan.

    Args:
        scan: gives the scan of a number.
        first: number of the first scan; a resumed training starts where it stopped.
        step: from one scan to the next, where several processes share them.
    """

    def __init__(self, scan: Callable[[int], LabelledScan] = synthetic, *, first: int = 0, step: int = 1) -> None:
        super().__init__(stream=5, waiting=_WAITING, first=first, step=step)
        self._scan = scan

    def examples(self, number: int, rng: np.random.Generator) -> Iterator[Example]:
        """Those of the scan of a number."""
        return examples_of(self._scan(number), rng)


def examples_of(scan: LabelledScan, rng: np.random.Generator) -> Iterator[Example]:
    """Some structures of a scan, each on one of its slices."""
    ids = structures_in(scan.labels)
    for _ in range(_PER_SCAN if ids else 0):
        volume = scan.labels == int(rng.choice(ids))
        areas = volume.sum(axis=(1, 2))
        drawable = np.flatnonzero((areas >= _LEAST_PIXELS) & (areas <= _LARGEST_SHARE * volume[0].size))
        if not drawable.size:
            continue
        index = int(rng.choice(drawable))
        truth = _piece(volume[index], rng)
        mask = np.zeros_like(truth)
        if rng.random() < _WITH_MASK:
            others = [scan.labels[index] == k for k in structures_in(scan.labels[index])]
            mask = _imperfect_mask(truth, volume, index, others, rng)
        turned = _random_flip(rng)
        yield Example(turned(scan.images[index]), turned(truth), turned(mask), int(rng.integers(2**32)), scan.case)


def _piece(mask: BoolArray, rng: np.random.Generator) -> BoolArray:
    """One piece of a mask, larger ones more often, or all of it."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 3 or rng.random() < _WHOLE:
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA].astype(float)
    piece: BoolArray = pieces == 1 + rng.choice(count - 1, p=areas / areas.sum())
    return piece if piece.sum() >= _LEAST_PIXELS else mask


def _imperfect_mask(
    truth: BoolArray, volume: BoolArray, index: int, others: list[BoolArray], rng: np.random.Generator
) -> BoolArray:
    """What a person might find there: the mask of a slice near by, or the true one shifted, cut, spilt or joined."""
    kind, mask = rng.integers(5), truth
    if kind == 0:
        mask = volume[int(np.clip(index + rng.integers(-_NEIGHBOURS, _NEIGHBOURS + 1), 0, len(volume) - 1))]
    radius = np.sqrt(truth.sum() / np.pi)
    rows, columns = np.mgrid[: truth.shape[0], : truth.shape[1]]
    y, x = np.argwhere(truth)[rng.integers(truth.sum())]
    if kind == 1:
        shift = rng.normal(0, 0.25 * radius, 2).round().astype(int)
        mask = np.roll(truth, (int(shift[0]), int(shift[1])), (0, 1))
    elif kind == 2:
        angle = rng.uniform(0, 2 * np.pi)
        mask = truth & ((rows - y) * np.sin(angle) + (columns - x) * np.cos(angle) < rng.uniform(-0.2, 0.6) * radius)
    elif kind == 3:
        size = rng.uniform(0.3, 1.0, 2) * radius
        mask = truth | (((rows - y) / size[0]) ** 2 + ((columns - x) / size[1]) ** 2 < 1)
    elif kind == 4:
        mask = truth | _piece(others[rng.integers(len(others))], rng)
    return mask


def _random_flip(rng: np.random.Generator) -> Callable[[npt.NDArray[Any]], npt.NDArray[Any]]:
    """Mirrors arrays of one slice alike, rows and columns exchanged or not."""
    axes, exchanged = tuple(axis for axis in (-1, -2) if rng.random() < 0.5), rng.random() < 0.5

    def turned(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        mirrored = np.flip(array, axes)
        return np.ascontiguousarray(np.swapaxes(mirrored, -1, -2) if exchanged else mirrored)

    return turned
