"""The scans that the benchmarks run on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import typer

from ivos.io.read import read, read_labels
from ivos.phantom import abdomen
from ivos.volume.volume import on_grid_of

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.volume.geometry import Shape
    from ivos.volume.volume import Volume

_PHANTOM_SHAPE = (60, 160, 160)
_LEAST_SLICES = 4
_LEAST_VOXELS = 100


@dataclass(frozen=True)
class Case:
    """Where a scan and its true labels come from: two files, or a phantom's seed and shape."""

    name: str
    scan: Path | None = None
    labels: Path | None = None
    seed: int = 0
    shape: Shape = _PHANTOM_SHAPE

    def load(self) -> tuple[Volume, Volume]:
        """The scan and its labels, on one grid."""
        if self.scan is None or self.labels is None:
            phantom = abdomen(self.seed, shape=self.shape)
            return phantom.scan, phantom.labels
        scan = read(self.scan)
        return scan, on_grid_of(read_labels(self.labels), scan, str(self.labels))


def cases_of(scan: Path | None, labels: Path | None, phantoms: int, shape: Shape = _PHANTOM_SHAPE) -> list[Case]:
    """One pair of files, or a number of phantoms of a shape."""
    if (scan is None) != (labels is None):
        raise typer.BadParameter("--scan and --labels go together")
    if scan is not None:
        return [Case(scan.name, scan, labels)]
    return [Case(f"phantom {seed}", seed=seed, shape=shape) for seed in range(1000, 1000 + phantoms)]


def measurable(labels: Volume) -> list[int]:
    """Structures of at least 4 slices and 100 voxels: smaller ones say little."""
    found = []
    for label in (int(n) for n in np.unique(labels.array) if n):
        mask = labels.array == label
        if np.any(mask, axis=(1, 2)).sum() >= _LEAST_SLICES and mask.sum() >= _LEAST_VOXELS:
            found.append(label)
    return found


def largest_slice(labels: Volume, structure: int) -> int:
    """The axial slice that holds most of a structure."""
    return int((labels.array == structure).sum(axis=(1, 2)).argmax())
