"""Small scans with moving discs, for the tests of propagation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ivos.volume.geometry import Geometry
from ivos.volume.volume import Volume

if TYPE_CHECKING:
    import numpy.typing as npt

    from ivos.propagation.engines.protocol import Slice
    from ivos.propagation.masks import Masks
    from ivos.types import BoolArray


def volume_of(array: npt.NDArray[Any], spacing_mm: tuple[float, float, float] = (2.0, 1.0, 1.0)) -> Volume:
    return Volume.from_array(array, Geometry(array.shape, spacing_mm, (0.0, 0.0, 0.0)), modality="CT")


def moving_discs(slices: int = 12, size: int = 64, seed: int = 0) -> tuple[Volume, Volume]:
    """A textured CT with a bright disc (label 3) moving right and a grey one (label 8) moving down and growing."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    scan = rng.normal(-40, 8, (slices, size, size))
    labels = np.zeros((slices, size, size), np.uint8)
    for z in range(slices):
        right = (rows - 0.3 * size) ** 2 + (columns - 0.25 * size - 1.5 * z) ** 2 < (0.14 * size) ** 2
        down = (rows - 0.55 * size - z) ** 2 + (columns - 0.6 * size) ** 2 < (0.12 * size + 0.4 * z) ** 2
        for label, disc, hu in ((3, right, 180), (8, down, 80)):
            labels[z][disc] = label
            scan[z][disc] = hu + rng.normal(0, 8, disc.sum())
    return volume_of(np.rint(scan).astype(np.int16)), volume_of(labels)


def drawn_on(labels: Volume, *slices: int) -> Volume:
    array = np.zeros_like(labels.array)
    array[list(slices)] = labels.array[list(slices)]
    return labels.with_array(array)


def dice(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


class RecordingEngine:
    """Copies masks like the floor engine, and writes down what it was asked."""

    fuses = False

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self._masks: Masks | None = None

    def observe(self, image: Slice, masks: Masks, known: BoolArray) -> None:
        assert known.any()
        assert masks.total().max() <= 1 + 1e-5
        self.calls.append(("observe", image.index))
        self._masks = masks

    def predict(self, image: Slice, opposite: Masks | None) -> Masks:  # noqa: ARG002
        assert self._masks is not None
        self.calls.append(("predict", image.index))
        return self._masks

    def reset(self) -> None:
        self.calls.append(("reset", -1))
        self._masks = None
