"""Paint random structures: sheaths and contents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ivos.phantom.forms import path, random_tube
from ivos.phantom.shapes import Ellipsoid
from ivos.phantom.tissue import texture

if TYPE_CHECKING:
    from ivos.phantom.canvas import Canvas, Region
    from ivos.phantom.fields import Field
    from ivos.phantom.forms import Structure
    from ivos.phantom.tissue import Palette

_UNSEEN = 0.12  # share of structures that are as bright as what they lie in
_SIMILAR = 0.3  # share of those that differ little from it
_LEAST_APART = 0.05  # what the others differ at least
_SHEATHED = 1 / 3
_REACH_MM = 4.0  # as far from a surface as anything is painted


@dataclass(frozen=True)
class _Inside:
    """A structure's place on the canvas, while it is filled.

    Attributes:
        structure: what it is.
        region: where it lies.
        distance: mm to its surface, (Z, Y, X) in the region.
        value: its brightness.
    """

    structure: Structure
    region: Region
    distance: Field
    value: float


def paint_structure(
    canvas: Canvas, structure: Structure, label: int, palette: Palette, rng: np.random.Generator
) -> bool:
    """Paint it, and what is around and in it; False if none of it lies in the volume."""
    region = canvas.around(structure.shape)
    if region is None:
        return False
    distance = region.distance(structure.shape, _REACH_MM + 3 * structure.bump_mm)
    if structure.bump_mm:
        distance += np.float32(structure.bump_mm) * canvas.bumps(int(rng.integers(3)), region.box)
    inside = distance < 0
    if not inside.any():
        return False
    value = _brightness(float(canvas.hu[region.box][inside].mean()), palette, rng)
    if rng.random() < _SHEATHED:
        sheath = palette.plane if rng.random() < 0.6 else float(rng.random())
        canvas.paint(region, distance - np.float32(rng.uniform(0.7, 2.5)), sheath, 0)
    canvas.paint(region, distance, np.float32(value) + texture(canvas, region, rng), label)
    _fill(canvas, _Inside(structure, region, distance, value), rng)
    return True


def _brightness(around: float, palette: Palette, rng: np.random.Generator) -> float:
    if rng.random() < _UNSEEN:
        return around + float(rng.uniform(-0.03, 0.03))
    sign = 1.0 if rng.random() > around else -1.0  # away from black and white, where windows cut contrast off
    if rng.random() < _SIMILAR:
        return around + sign * float(rng.uniform(0.07, 0.15))
    value = palette.draw(rng)
    return value if abs(value - around) > _LEAST_APART else around + sign * float(rng.uniform(0.07, 0.15))


def _fill(canvas: Canvas, inside: _Inside, rng: np.random.Generator) -> None:
    size_mm = inside.structure.size_mm
    if size_mm > 5 and rng.random() < 0.35:
        _paint_cavity(canvas, inside, rng)
    elif size_mm > 5 and rng.random() < 0.3:
        _paint_lumps(canvas, inside, rng)
    if size_mm > 9 and rng.random() < 0.45:
        _paint_vessels(canvas, inside, rng)
    if size_mm > 4 and rng.random() < 0.15:
        _paint_specks(canvas, inside, rng)


def _paint_cavity(canvas: Canvas, inside: _Inside, rng: np.random.Generator) -> None:
    """Something else within a wall, of the same structure or of none; gas over fluid, or fluid over contrast."""
    own = rng.random() < 0.6
    content: Field | float = float(rng.random())
    if rng.random() < 0.4:
        rows = np.flatnonzero((inside.distance < 0).any(axis=(0, 2)))
        level = np.float32(rng.uniform(rows[0], rows[-1] + 1))
        under = np.clip(np.arange(inside.distance.shape[1], dtype=np.float32)[None, :, None] - level, 0, 1)
        over, below = rng.permutation([float(rng.choice([0.0, 1.0])), rng.random()])  # gas is black, contrast white
        content = np.asarray(over + (below - over) * under, np.float32)
    canvas.paint(inside.region, inside.distance + np.float32(rng.uniform(1.5, 4)), content, None if own else 0)


def _paint_lumps(canvas: Canvas, inside: _Inside, rng: np.random.Generator) -> None:
    """Lesions: round parts of a structure that differ little from the rest of it."""
    for _ in range(int(rng.integers(1, 4))):
        radii = inside.structure.size_mm * rng.uniform(0.15, 0.45) * rng.uniform(0.7, 1.3, 3)
        lump = Ellipsoid(_place_in(inside, rng), (float(radii[0]), float(radii[1]), float(radii[2])))
        value = inside.value + float(rng.choice([-1, 1]) * rng.uniform(0.05, 0.2))
        along = inside.region.distance(lump, _REACH_MM)
        canvas.paint(inside.region, np.maximum(along, inside.distance), value)


def _paint_vessels(canvas: Canvas, inside: _Inside, rng: np.random.Generator) -> None:
    """Thin tubes inside a structure, brighter or darker, which belong to it."""
    low, high = inside.structure.shape.bounds()
    value = float(rng.random())
    for _ in range(int(rng.integers(1, 4))):
        line = path((low + high) / 2, 2 * inside.structure.size_mm, 1.0, rng)
        along = inside.region.distance(random_tube(line, float(rng.uniform(0.8, 2)), rng), _REACH_MM)
        canvas.paint(inside.region, np.maximum(along, inside.distance + np.float32(1)), value)


def _paint_specks(canvas: Canvas, inside: _Inside, rng: np.random.Generator) -> None:
    """Bright or dark points in a structure, as calcifications and stones are."""
    value = np.float32(rng.choice([1.0, 1.3, 0.0], p=(0.4, 0.4, 0.2)))
    places = np.argwhere(inside.distance < -2)
    seen = canvas.hu[inside.region.box]
    for z, y, x in places[rng.integers(len(places), size=int(rng.integers(2, 16)))] if len(places) else ():
        height, width = rng.integers(1, 4, 2)
        seen[z, y : y + height, x : x + width] = value


def _place_in(inside: _Inside, rng: np.random.Generator) -> tuple[float, float, float]:
    places = np.flatnonzero(inside.distance < 0)
    voxel = places[rng.integers(len(places))]
    x, y, z = (float(p.ravel()[voxel]) for p in (inside.region.x, inside.region.y, inside.region.z))
    return x, y, z
