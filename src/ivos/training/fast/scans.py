"""Labelled scans to take examples from: synthetic ones without end, or the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ivos.phantom import abdomen, random_shapes
from ivos.volume.windows import channels, windows_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from ivos.training.data.store import StoredScan
    from ivos.types import Array
    from ivos.volume.geometry import Triple
    from ivos.volume.windows import Windows

_ABDOMENS = 0.4  # share of synthetic scans that are phantom abdomens
_COARSE = 0.3  # share of the others at half their resolution, so that some structures are few pixels wide
_SYNTHETIC = 0.25  # share of synthetic scans among the user's own, so that what was learned from them is kept
_MOST_SLICES, _MOST_PIXELS = 64, 256  # of a part of a scan; a view shows the largest structures no finer


@dataclass(frozen=True)
class LabelledScan:
    """A scan as engines see it.

    Attributes:
        images: (N, C, H, W) windows, 0..255.
        labels: (N, H, W) label ids, :data:`~ivos.training.data.store.UNKNOWN` where nothing is said.
        spacing_mm: (z, y, x).
        case: its name.
    """

    images: npt.NDArray[np.uint8]
    labels: Array
    spacing_mm: Triple
    case: str = ""

    @staticmethod
    def of(array: Array, labels: Array, windows: Windows, spacing_mm: Triple, case: str) -> LabelledScan:
        """From intensities (N, H, W) and the windows to see them through."""
        images = np.stack([np.rint(255 * channels(plane, windows)).astype(np.uint8) for plane in array])
        return LabelledScan(images, labels, spacing_mm, case)


def synthetic(number: int) -> LabelledScan:
    """The synthetic scan of a number: random structures, or a phantom abdomen."""
    rng, case = np.random.default_rng((number, 1)), f"synthetic scan {number}"
    if rng.random() < _ABDOMENS:
        plane_mm, through_mm = float(rng.uniform(1.8, 3.2)), float(rng.uniform(1.5, 6))
        made = abdomen(number, shape=(int(rng.integers(32, 56)), 160, 160), spacing_mm=(through_mm, plane_mm, plane_mm))
        return LabelledScan.of(
            made.scan.array, made.labels.array, windows_for(made.scan), made.scan.geometry.spacing_mm, case
        )
    side = int(rng.choice([128, 160, 192]))
    made = random_shapes(number, shape=(int(rng.integers(24, 44)), side, side))
    array, labels = made.scan.array, made.labels.array
    z, y, x = made.scan.geometry.spacing_mm
    if rng.random() < _COARSE:
        array, labels = _halved(array, labels)
        y, x = 2 * y, 2 * x
    return LabelledScan.of(array, labels, windows_for(made.scan), (z, y, x), case)


class OwnScans:
    """Parts of the user's labelled scans, mirrored at random, and some synthetic scans between them.

    Args:
        scans: stored and labelled.
    """

    def __init__(self, scans: Sequence[StoredScan]) -> None:
        self._scans = tuple(scans)

    def __call__(self, number: int) -> LabelledScan:
        """The same number gives the same part."""
        rng = np.random.default_rng((number, 3))
        if rng.random() < _SYNTHETIC:
            return synthetic(number)
        part = part_in_turn(self._scans, number)
        axes = tuple(axis for axis in (-1, -2) if rng.random() < 0.5)
        return LabelledScan(
            np.ascontiguousarray(np.flip(part.images, axes)),
            np.ascontiguousarray(np.flip(part.labels, axes)),
            part.spacing_mm,
            part.case,
        )


def part_in_turn(scans: Sequence[StoredScan], number: int) -> LabelledScan:
    """Slices about some labelled voxel of a scan, all of each at a coarser resolution or a part of it at its own.

    Args:
        scans: of which one comes after another.
        number: the same one gives the same part.
    """
    rng = np.random.default_rng((number, 4))
    scan = scans[number % len(scans)]
    volume, labels = scan.scan(), scan.labels().array
    array, (z, y, x) = volume.array, volume.geometry.spacing_mm
    while max(array.shape[1:]) > _MOST_PIXELS and rng.random() < 0.5:
        array, labels = _halved(array, labels)
        y, x = 2 * y, 2 * x
    places = np.flatnonzero(labels > 0)
    centre = np.unravel_index(int(rng.choice(places)) if places.size else labels.size // 2, labels.shape)
    box = []
    for place, length, most in zip(centre, labels.shape, (_MOST_SLICES, _MOST_PIXELS, _MOST_PIXELS), strict=True):
        first = int(np.clip(int(place) - rng.integers(most), 0, max(0, length - most)))
        box.append(slice(first, first + most))
    return LabelledScan.of(array[tuple(box)], labels[tuple(box)], scan.info.windows, (z, y, x), scan.info.case)


def _halved(array: Array, labels: Array) -> tuple[Array, Array]:
    """Half as many pixels in plane (N, H, W), each the mean of four."""
    depth, height, width = array.shape
    even = array[:, : height // 2 * 2, : width // 2 * 2]
    mean = even.reshape(depth, height // 2, 2, width // 2, 2).mean(axis=(2, 4), dtype=np.float32)
    return mean, labels[:, : height // 2 * 2 : 2, : width // 2 * 2 : 2]
