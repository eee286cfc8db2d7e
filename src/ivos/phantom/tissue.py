"""Background tissue of random scans: patches, unlabelled or labelled as structures."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ivos.phantom.fields import Field, smooth_field
from ivos.phantom.shapes import Ellipsoid

if TYPE_CHECKING:
    from ivos.phantom.canvas import Canvas, Region

_DENSE = 0.5  # share of scans whose patches are structures
_LEAST_APART = 0.06  # brightness between two labelled patches whose border is to be seen
_SEEN = 0.6  # share of scans in which all those borders are


@dataclass(frozen=True)
class Palette:
    """Brightnesses of one scan.

    Attributes:
        levels: what most tissues are near to; none, and they are anything from 0 to 1.
        plane: of the thin layers between structures, as fat is in a body.
    """

    levels: tuple[float, ...]
    plane: float

    @staticmethod
    def random(rng: np.random.Generator) -> Palette:
        """Few levels in half of the cases: soft tissues resemble each other."""
        count = int(rng.integers(2, 6)) if rng.random() < 0.5 else 0
        return Palette(tuple(float(level) for level in rng.uniform(0, 1, count)), float(rng.random()))

    def draw(self, rng: np.random.Generator) -> float:
        """The brightness of one tissue."""
        if not self.levels or rng.random() < 0.2:
            return float(rng.random())
        return float(rng.choice(self.levels) + rng.uniform(-0.06, 0.06))


def texture(canvas: Canvas, region: Region, rng: np.random.Generator) -> Field:
    """Structure within a tissue: none, coarse or fine."""
    amount = np.float32(rng.choice([0.0, 0.02, 0.05]))
    return amount * _grain(canvas, region, rng) if amount else np.float32(0) * region.x[:1, :1, :1]


def paint_tissue(canvas: Canvas, palette: Palette, rng: np.random.Generator) -> int:
    """Fill the canvas with patches, and with air around them in half of the cases; the number of labels given."""
    whole = canvas.everywhere()
    labelled = rng.random() < _DENSE
    count = int(rng.integers(4, 11) if labelled else rng.integers(2, 6))
    wavelength_mm = float(rng.uniform(20, 110) if labelled else rng.uniform(25, 90))
    fine = float(rng.uniform(0.1, 0.35)) if rng.random() < 0.4 else 0.0
    patches, lead = _tessellation(canvas, count, wavelength_mm, fine, rng)
    values = np.array([palette.draw(rng) for _ in range(count)], np.float32)
    if labelled and rng.random() < _SEEN:
        values = _apart(values)
    grains = rng.choice([0.0, 0.02, 0.05], count).astype(np.float32)
    canvas.hu[:] = values[patches] + grains[patches] * _grain(canvas, whole, rng)
    if labelled:
        canvas.labels[:] = patches + np.uint8(rng.random() < 0.5)  # the first patch is a structure or what lies between
        if rng.random() < 0.4:
            _paint_planes(canvas, lead * np.float32(wavelength_mm / 3), palette, rng)  # by the fields' usual steepness
    if rng.random() < 0.5:
        height, width = (n / 2 for n in canvas.grid.shape[1:])
        body = Ellipsoid((0, 0, 0), (width * rng.uniform(0.8, 1.3), height * rng.uniform(0.75, 1.2), 1e4))
        outside = -body.distance(whole.x, whole.y, whole.z)
        canvas.paint(whole, outside, float(rng.choice([0.0, 0.02, 1.0])), 0)
    return int(canvas.labels.max())


def _grain(canvas: Canvas, region: Region, rng: np.random.Generator) -> Field:
    return canvas.bumps(int(rng.integers(3)), region.box) * canvas.bumps(int(rng.integers(3)), region.box)


def _tessellation(
    canvas: Canvas, count: int, wavelength_mm: float, fine: float, rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], Field]:
    """Which of some random fields is the largest at each voxel (Z, Y, X), and by how much."""
    shape, spacing_mm = canvas.grid.shape, canvas.grid.spacing_mm
    first = np.full(shape, -np.inf, np.float32)
    second, number = first.copy(), np.zeros(shape, np.uint8)
    for k in range(count):
        field = smooth_field(rng, shape, spacing_mm, wavelength_mm)
        if fine:
            field += np.float32(fine) * smooth_field(rng, shape, spacing_mm, wavelength_mm / 3)
        np.copyto(number, np.uint8(k), where=field > first)
        np.maximum(second, np.minimum(first, field), out=second)
        np.maximum(first, field, out=first)
    return number, first - second


def _apart(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The values in the same order of size, none nearer to another than can be seen."""
    order = np.argsort(values)
    spread = values.copy()
    for low, high in pairwise(order):
        spread[high] = max(spread[high], spread[low] + _LEAST_APART)
    return spread


def _paint_planes(canvas: Canvas, across_mm: Field, palette: Palette, rng: np.random.Generator) -> None:
    """Thin layers between patches that are part of none."""
    whole, half_mm = canvas.everywhere(), np.float32(rng.uniform(0.5, 1.2))
    canvas.paint(whole, across_mm - half_mm, palette.plane, 0)
