"""Training samples of a memory network: a few slices with some structures on them.

Sample ``i`` is the same in every run and in every process, and so is what kind of samples a step learns from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from ivos.training.data.store import UNKNOWN, StoredScan
from ivos.training.stcn.deform import BEYOND, random_deformation, sample_labels, sample_planes, view_grid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from ivos.training.propagation_settings import STCNSettings
    from ivos.types import FloatArray

Kind = Literal["slices", "deformed", "cycle"]
Clips = dict[str, Any]

_SLICES = 3
_LEAST_PIXELS = 20  # of a structure on the first slice of the view
_EXTENT = (0.5, 1.1)  # of the slice's longer side that a view spans
_GAIN, _OFFSET, _NOISE = 0.1, 0.05, 0.03
_TRIES = 10


@dataclass(frozen=True)
class Clip:
    """Slices in walking order.

    Attributes:
        images: (T, 3, S, S) in [0, 1].
        labels: (T, S, S) 0 for background, 1 to K for the structures, -1 beyond the slice and where nothing is
            said.
        kind: how they came to be.
        case: of the scan.
    """

    images: FloatArray
    labels: npt.NDArray[np.int64]
    kind: Kind
    case: str = ""


class ClipSamples(Dataset[Clip]):
    """Clips of scans, by number.

    Args:
        labelled: stored scans.
        unlabelled: stored scans whose labels are not looked at.
        settings: of the network.
        steps: of the training.
        per_step: samples in a step of all processes together.
        seed: of the draws.
    """

    def __init__(
        self,
        labelled: Sequence[Path],
        unlabelled: Sequence[Path],
        settings: STCNSettings,
        *,
        steps: int,
        per_step: int,
        seed: int,
    ) -> None:
        self._labelled = [StoredScan(path) for path in labelled]
        self._unlabelled = [StoredScan(path) for path in unlabelled] or self._labelled
        self._showing = [sorted({n for k in s.info.runs for n in s.info.showing(k)}) for s in self._labelled]
        self._settings, self._steps, self._per_step, self._seed = settings, steps, per_step, seed

    def __getitem__(self, number: int) -> Clip:
        step = number // self._per_step
        rng = np.random.default_rng((self._seed, number))
        kind = kind_of_step(step, self._settings, self._seed)
        if kind == "cycle":
            return self._cycle(step, rng)
        for _ in range(_TRIES):
            clip = self._deformed_copies(rng) if kind == "deformed" else self._slices(step, rng)
            if (clip.labels[0] > 0).any():
                break
        return clip

    def _slices(self, step: int, rng: np.random.Generator) -> Clip:
        scan, first = self._place(rng)
        images, labels = zip(
            *(_slice(scan, number) for number in self._numbers(len(scan), first, step, rng)), strict=True
        )
        where = self._view(labels[0], rng)
        views = np.stack([sample_labels(plane, where) for plane in labels])
        return self._clip([sample_planes(image, where) for image in images], views, "slices", rng, scan.info.case)

    def _deformed_copies(self, rng: np.random.Generator) -> Clip:
        scan, number = self._place(rng)
        image, labels = _slice(scan, number)
        where = self._view(labels, rng)
        image, labels = sample_planes(image, where), sample_labels(labels, where)
        maps = [random_deformation(self._settings.size, rng) for _ in range(_SLICES)]
        views = np.stack([sample_labels(labels, places) for places in maps])
        return self._clip([sample_planes(image, places) for places in maps], views, "deformed", rng, scan.info.case)

    def _cycle(self, step: int, rng: np.random.Generator) -> Clip:
        scan = self._unlabelled[int(rng.integers(len(self._unlabelled)))]
        numbers = self._numbers(len(scan), int(rng.integers(len(scan))), step, rng)
        images = [scan.slice(number)[0] for number in numbers]
        where = self._view(np.zeros(images[0].shape[1:], np.int16), rng)
        views = [sample_planes(image, where) for image in images]
        labels = np.zeros((_SLICES, *where.shape[:2]), np.int16)
        labels[0] = random_regions(views[0], self._settings.structures or 2, rng)
        return self._clip(views, labels, "cycle", rng, scan.info.case)

    def _place(self, rng: np.random.Generator) -> tuple[StoredScan, int]:
        """A slice that shows something."""
        number = int(rng.integers(len(self._labelled)))
        return self._labelled[number], int(rng.choice(self._showing[number]))

    def _numbers(self, count: int, first: int, step: int, rng: np.random.Generator) -> list[int]:
        """Slices one way or the other, with random jumps between them."""
        most = largest_jump(step, self._steps, self._settings)
        jumps = rng.integers(1, most, size=_SLICES - 1, endpoint=True).cumsum()
        ahead = rng.random() < 0.5
        if not 0 <= first + (int(jumps[-1]) if ahead else -int(jumps[-1])) < count:
            ahead = first < count / 2
        numbers = first + np.concatenate([[0], jumps if ahead else -jumps])
        return [int(number) for number in numbers.clip(0, count - 1)]

    def _view(self, labels: npt.NDArray[np.int16], rng: np.random.Generator) -> FloatArray:
        """Where a view about some labelled pixel lies; about the middle where nothing is labelled."""
        places = np.flatnonzero(labels > 0)
        middle = (labels.shape[0] // 2, labels.shape[1] // 2)
        row, column = np.unravel_index(int(rng.choice(places)), labels.shape) if places.size else middle
        extent = max(labels.shape) * float(rng.uniform(*_EXTENT))
        shift = rng.uniform(-0.25, 0.25, 2) * extent
        return view_grid((float(row + shift[0]), float(column + shift[1])), extent, self._settings.size, rng)

    def _clip(
        self,
        views: Sequence[FloatArray],
        labels: npt.NDArray[np.int16],
        kind: Kind,
        rng: np.random.Generator,
        case: str,
    ) -> Clip:
        """Separate labels for some structures, one for all others; intensities vary, slightly between slices too."""
        ids, counts = np.unique(labels[0][labels[0] > 0], return_counts=True)
        ids = rng.permutation(ids[counts >= _LEAST_PIXELS])
        separate = len(ids) if self._settings.structures is None else self._settings.structures
        classes = np.where(labels == BEYOND, BEYOND, 0).astype(np.int64)
        for k, label in enumerate(ids):
            classes[labels == label] = 1 + min(k, separate)
        gain, offset = rng.uniform(1 - _GAIN, 1 + _GAIN), rng.uniform(-_OFFSET, _OFFSET)
        images = []
        for view in views:
            own = gain * rng.uniform(1 - _GAIN / 3, 1 + _GAIN / 3)
            noise = rng.normal(0, _NOISE * rng.random(), view.shape)
            images.append(np.clip((view - 0.5) * own + 0.5 + offset + noise, 0, 1))
        return Clip(np.stack(images).astype(np.float32), classes, kind, case)


def kind_of_step(step: int, settings: STCNSettings, seed: int) -> Kind:
    """What a step learns from: drawn, in the shares of the settings."""
    kinds: tuple[Kind, ...] = ("slices", "deformed", "cycle")
    shares = np.array([getattr(settings.learn_from, kind) for kind in kinds])
    return kinds[int(np.random.default_rng((seed, step, 5)).choice(len(kinds), p=shares / shares.sum()))]


def largest_jump(step: int, steps: int, settings: STCNSettings) -> int:
    """The most slices from one slice of a clip to the next."""
    for jump, until in zip(settings.jumps, settings.jumps_until, strict=True):
        if step < until * steps:
            return jump
    return settings.jumps[-1]


def collate_clips(clips: Sequence[Clip]) -> Clips:
    """A batch: images (B, T, 3, S, S), labels (B, T, S, S), whether all go there and back, and the names of cases."""
    return {
        "images": torch.from_numpy(np.stack([clip.images for clip in clips])),
        "labels": torch.from_numpy(np.stack([clip.labels for clip in clips])),
        "cycle": torch.tensor(clips[0].kind == "cycle"),
        "cases": [clip.case for clip in clips],
    }


def _slice(scan: StoredScan, number: int) -> tuple[FloatArray, npt.NDArray[np.int16]]:
    image, labels = scan.slice(number)
    assert labels is not None  # noqa: S101 - these scans are labelled
    return image, np.where(labels == UNKNOWN, np.int16(BEYOND), labels)


_LEAST_SHARE, _LARGEST_SHARE = 0.002, 0.2  # of the slice
_HALF_WIDTHS = (0.04, 0.15)  # of the band of intensities that a region takes in
_REGION_TRIES = 20


def random_regions(image: FloatArray, count: int, rng: np.random.Generator) -> npt.NDArray[np.int16]:
    """Connected regions of nearly the same intensity, each grown from a random pixel.

    Args:
        image: (C, H, W) in [0, 1]; the regions are those of a random channel.
        count: how many at most.
        rng: draws.

    Returns:
        (H, W): 0, and 1 to ``count`` for the regions.
    """
    plane = cv2.medianBlur(np.rint(255 * image[rng.integers(len(image))]).astype(np.uint8), 5)
    height, width = plane.shape
    labels = np.zeros((height, width), np.int16)
    found = 0
    for _ in range(_REGION_TRIES * count):
        row, column = (int(rng.integers(length)) for length in (height, width))
        if found == count:
            break
        if labels[row, column] or plane[row, column] == 0:
            continue
        band = 255 * rng.uniform(*_HALF_WIDTHS)
        mask = np.zeros((height + 2, width + 2), np.uint8)
        flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE
        cv2.floodFill(plane, mask, (column, row), 0, band, band, flags)
        region = (mask[1:-1, 1:-1] > 0) & (labels == 0)
        if _LEAST_SHARE <= region.mean() <= _LARGEST_SHARE:
            found += 1
            labels[region] = found
    return labels
