"""Endless examples to learn propagation from: some slices of a scan, with one structure to follow through them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ivos.propagation.optical_flow import displacement
from ivos.training.data.store import UNKNOWN
from ivos.training.fast.anchors import Anchored, anchored
from ivos.training.fast.scans import LabelledScan, synthetic
from ivos.training.streaming import StreamingDataset
from ivos.volume.labels import structures_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from ivos.types import BoolArray, FloatArray

_PER_SCAN = 16
_LEAST_PIXELS = 12
_LARGEST_SHARE = 0.35  # of a slice; larger structures are left to be background
_WAITING = 48  # examples that are mixed, so that those of one scan do not come together
_LONGEST = 40  # slices of an example
_BEYOND = 14  # slices past the structure's end that the network may still have to stop on
_BETWEEN = 0.4  # share of examples with a drawn slice at both ends
_ANOTHER = 0.25  # share of examples with another drawn slice behind the first one
_WHOLE = 0.15  # share of examples that follow all pieces of a label, not one
_OTHERS = (0.0, 0.5, 1.0)  # shares of the other structures that have been drawn too
_TRUE_OTHERS = 0.4  # share of examples in which those are where they should be; else where flow has carried them


@dataclass(frozen=True)
class Example:
    """Slices in walking order, the drawn one first, and what one structure is on them.

    Attributes:
        images: (T, C, H, W) windows, 0..255.
        masks: (T, H, W) the structure.
        ignored: (T, H, W) where the labels say nothing.
        passes: what flow carries over the walked slices: from the first one and, if the last one is drawn, from there.
        numbers: the slices' numbers.
        walked: positions of the slices to walk over; those outside are drawn slices to read from.
        between: whether the last walked slice is drawn too.
        case: of the scan.
    """

    images: npt.NDArray[np.uint8]
    masks: BoolArray
    ignored: BoolArray
    passes: tuple[Anchored, ...]
    numbers: tuple[int, ...]
    walked: range
    between: bool
    case: str = ""

    def image(self, position: int) -> FloatArray:
        """A slice as engines see it: (C, H, W) in [0, 1]."""
        return np.asarray(self.images[position] / np.float32(255), np.float32)


class Examples(StreamingDataset[Example]):
    """Examples from scan after scan.

    Args:
        scan: gives the scan of a number.
        first: number of the first scan, to go on where a training stopped.
        step: from one scan to the next, where several processes share them.
        per_scan: examples taken from each scan before the next one.
    """

    def __init__(
        self,
        scan: Callable[[int], LabelledScan] = synthetic,
        *,
        first: int = 0,
        step: int = 1,
        per_scan: int = _PER_SCAN,
    ) -> None:
        super().__init__(stream=2, waiting=_WAITING, first=first, step=step)
        self._scan, self._per_scan = scan, per_scan

    def examples(self, number: int, rng: np.random.Generator) -> Iterator[Example]:
        """Those of the scan of a number."""
        return examples_of(self._scan(number), rng, self._per_scan)


def examples_of(scan: LabelledScan, rng: np.random.Generator, count: int = _PER_SCAN) -> Iterator[Example]:
    """Some structures of a scan, each followed from one of its slices."""
    images, labels = scan.images, scan.labels
    ids = structures_in(labels)
    flow = cache(lambda current, previous: displacement(images[current][0], images[previous][0]))
    for _ in range(count if ids else 0):
        label = int(rng.choice(ids))
        mask = _followed(labels == label, rng)
        path = _path(mask, rng)
        if path is None:
            continue
        numbers, walked, between = path
        share = rng.choice(_OTHERS)
        others = [labels == k for k in ids if k != label and rng.random() < share]
        way = [numbers[position] for position in walked]
        passes = [anchored(mask, others, way, flow)]
        if between:
            passes.append(anchored(mask, others, way[::-1], flow).backwards())
        if rng.random() < _TRUE_OTHERS:
            true = np.any([other[way] for other in others], axis=0) if others else np.zeros_like(mask[way])
            passes = [replace(there, others=true) for there in passes]
        yield Example(
            images=images[numbers],
            masks=mask[numbers],
            ignored=labels[numbers] == UNKNOWN,
            passes=tuple(passes),
            numbers=tuple(numbers),
            walked=walked,
            between=between,
            case=scan.case,
        )


def _followed(mask: BoolArray, rng: np.random.Generator) -> BoolArray:
    """One piece of a label, larger ones more often, or all of it."""
    pieces, count = ndimage.label(mask, np.ones((3, 3, 3)))
    if count < 2 or rng.random() < _WHOLE:
        return mask
    sizes = np.bincount(pieces.ravel())[1:].astype(float)
    piece: BoolArray = pieces == 1 + rng.choice(count, p=sizes / sizes.sum())
    return piece


def _path(mask: BoolArray, rng: np.random.Generator) -> tuple[list[int], range, bool] | None:
    """Numbers of the slices of an example, which of them are walked, and whether the last one is drawn."""
    areas = mask.sum(axis=(1, 2))
    drawable = np.flatnonzero((areas >= _LEAST_PIXELS) & (areas <= _LARGEST_SHARE * mask[0].size))
    if not drawable.size:
        return None
    start = int(areas.argmax()) if rng.random() < 0.4 and areas.argmax() in drawable else int(rng.choice(drawable))
    step = int(rng.choice([-2, -1, -1, -1, 1, 1, 1, 2]))
    numbers = [n for n in range(start, start + step * _LONGEST, step) if 0 <= n < len(mask)]
    present = np.flatnonzero(areas[numbers])
    numbers = numbers[: int(present[-1]) + 1 + _BEYOND]
    between = len(numbers) > 3 and rng.random() < _BETWEEN
    if between:
        numbers = numbers[: int(rng.integers(4, min(len(numbers), 22), endpoint=True))]
    if len(numbers) < 2:
        return None
    walked = range(len(numbers))
    behind = start - step * int(rng.integers(2, 9))
    if rng.random() < _ANOTHER and behind in drawable:
        numbers.append(behind)
    return numbers, walked, between
