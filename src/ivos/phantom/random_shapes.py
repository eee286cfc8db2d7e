"""Scans of no anatomy at all: random structures of every form, size and brightness, to learn propagation from.

A network that is to follow any structure in any modality must not learn anatomy or intensities; it learns from shapes
and contrasts that are never the same twice.

References:
    Hoffmann et al.: SynthMorph: learning contrast-invariant registration without acquired images, IEEE TMI 2022.
    Billot et al.: SynthSeg: Segmentation of brain MRI scans of any contrast and resolution, MedIA 2023.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ivos.phantom.canvas import Canvas, Region
from ivos.phantom.case import Phantom
from ivos.phantom.degrade import degraded
from ivos.phantom.fields import Field, smooth_field
from ivos.phantom.shapes import Ellipsoid, Point, Shape3d, Shell, Tube, Union3d
from ivos.volume.geometry import Geometry
from ivos.volume.volume import Volume

if TYPE_CHECKING:
    from ivos.volume.geometry import Shape

_SIMILAR = 0.3  # share of structures that differ little in brightness from what they lie in
_STRUCTURES = (5, 12)


@dataclass(frozen=True)
class _Structure:
    """A shape before it is painted.

    Attributes:
        shape: its outline.
        bump_mm: deviation of its surface from that.
        size_mm: its half-width, for what is put into it.
    """

    shape: Shape3d
    bump_mm: float
    size_mm: float


def random_shapes(seed: int, *, shape: Shape = (24, 128, 128), step_mm: float | None = None) -> Phantom:
    """A scan full of random structures: the same seed gives the same one.

    Ellipsoids and lumps, tubes that bend, branch, taper and end, thin sheets, hollow structures with something in them,
    touching neighbours; small ones beside large ones, most of them beginning or ending inside the volume; any
    brightness, hardly visible ones among them; texture, vessels, shading, blur, noise, streaks, reversed contrast.

    Args:
        seed: which case.
        shape: voxels (z, y, x) of 1 mm in plane.
        step_mm: distance of slices; 1 to 6 mm, drawn, by default.
    """
    rng = np.random.default_rng(seed)
    step = float(np.exp(rng.uniform(0, np.log(6)))) if step_mm is None else step_mm
    grid = _centred_grid(shape, step)
    canvas = Canvas(grid, rng, warp_mm=float(rng.uniform(0, 4)), wavelength_mm=60.0)
    _paint_background(canvas, rng)
    count = int(rng.integers(*_STRUCTURES, endpoint=True))
    sizes = np.sort(np.exp(rng.uniform(np.log(2.5), np.log(34), count)))[::-1]  # small ones over large ones
    label, last = 0, (0.0, 0.0, 0.0, 1.0)
    for size in sizes:
        centre = _next_to(last, float(size), rng) if rng.random() < 0.4 else _somewhere(grid, rng)
        label += _paint_structure(canvas, _drawn(centre, float(size), rng), label + 1, rng)
        last = (*centre, float(size))
    intensities = degraded(canvas.hu, rng)
    scan = Volume.from_array(np.rint(1000 * intensities).astype(np.int16), grid)
    return Phantom(scan, scan.with_array(canvas.labels))


def _centred_grid(shape: Shape, step_mm: float) -> Geometry:
    spacing_mm = (step_mm, 1.0, 1.0)
    z, y, x = (-(n - 1) / 2 * s for n, s in zip(shape, spacing_mm, strict=True))
    return Geometry(shape, spacing_mm, (x, y, z))


def _paint_background(canvas: Canvas, rng: np.random.Generator) -> None:
    """A few kinds of tissue in smooth patches, with air around them in half of the cases."""
    grid, whole = canvas.grid, canvas.everywhere()
    wavelength = float(rng.uniform(25, 90))
    fields = [smooth_field(rng, grid.shape, grid.spacing_mm, wavelength) for _ in range(int(rng.integers(2, 6)))]
    patches = np.argmax(fields, axis=0)
    values = rng.uniform(0, 1, len(fields)).astype(np.float32)
    canvas.hu[:] = values[patches] + _texture(canvas, whole, rng)
    if rng.random() < 0.5:
        height, width = (n / 2 for n in grid.shape[1:])
        body = Ellipsoid((0, 0, 0), (width * rng.uniform(0.8, 1.3), height * rng.uniform(0.75, 1.2), 1e4))
        canvas.paint(whole, -body.distance(whole.x, whole.y, whole.z), float(rng.choice([0.0, 0.02, 1.0])))


def _somewhere(grid: Geometry, rng: np.random.Generator) -> Point:
    z, y, x = (0.5 * n * s for n, s in zip(grid.shape, grid.spacing_mm, strict=True))
    return float(rng.uniform(-0.75, 0.75) * x), float(rng.uniform(-0.75, 0.75) * y), float(rng.uniform(-0.9, 0.9) * z)


def _next_to(last: tuple[float, float, float, float], size: float, rng: np.random.Generator) -> Point:
    """A centre at which a structure of this size touches the last one."""
    direction = rng.normal(0, 1, 3)
    x, y, z = np.array(last[:3]) + direction / np.linalg.norm(direction) * (last[3] + size) * rng.uniform(0.7, 1.0)
    return float(x), float(y), float(z)


def _drawn(centre: Point, size: float, rng: np.random.Generator) -> _Structure:
    """A structure of one kind or another about a place."""
    kind = rng.choice(["ellipsoid", "lump", "tube", "tree", "sheet"], p=(0.2, 0.3, 0.2, 0.15, 0.15))
    if kind in ("tube", "tree"):
        return _tubes(centre, size, rng, branches=int(rng.integers(1, 4)) if kind == "tree" else 0)
    long = float(np.exp(rng.uniform(np.log(0.6), np.log(3.5))))  # through the slices: short discs to long columns
    radii = (size * float(rng.uniform(0.6, 1.3)), size * float(rng.uniform(0.6, 1.3)), size * long)
    angles = tuple(float(a) for a in rng.uniform((-35, -35, 0), (35, 35, 180)))
    body = Ellipsoid(centre, radii, (angles[0], angles[1], angles[2]))
    if kind == "sheet":
        half_mm, cut_mm = float(rng.uniform(1.2, 2.5)), size * float(rng.uniform(-0.4, 0.6))
        return _Structure(Shell(body, half_mm, cut_mm), bump_mm=0.4, size_mm=half_mm)
    return _Structure(body, size * float(rng.uniform(0.1, 0.3)) * (kind == "lump"), size)


def _tubes(centre: Point, size: float, rng: np.random.Generator, *, branches: int) -> _Structure:
    """A tube, with branches that leave it on the way."""
    radius = float(np.clip(size * 0.35, 1.5, 11))
    length = float(rng.uniform(50, 180))
    across = float(rng.choice([0.25, 1.0]))  # along the slices' normal, or any way
    stem = _path(np.array(centre), length, across, rng)
    tubes = [_tapered(stem, radius, rng)]
    for _ in range(branches):
        start = stem[int(rng.integers(1, len(stem) - 1))]
        tubes.append(_tapered(_path(start, length / 2, 1.0, rng), radius * float(rng.uniform(0.5, 0.9)), rng))
    return _Structure(Union3d(tuple(tubes), blend_mm=radius) if branches else tubes[0], 0.1 * radius, radius)


def _path(start: np.ndarray, length: float, across: float, rng: np.random.Generator) -> np.ndarray:
    """Points of a line that bends as it goes."""
    direction = rng.normal(0, 1, 3) * (across, across, 1.0)
    steps = []
    for _ in range(4):
        direction = direction / np.linalg.norm(direction) + rng.normal(0, 0.35, 3) * (across + 0.3)
        steps.append(direction / np.linalg.norm(direction) * length / 4)
    path: np.ndarray = start + np.vstack([np.zeros(3), np.cumsum(steps, axis=0)])
    path -= (path[-1] - start) * rng.uniform(0, 0.6)  # the start lies somewhere on its way
    return path


def _tapered(points: np.ndarray, radius: float, rng: np.random.Generator) -> Tube:
    radii = radius * np.linspace(1, float(rng.uniform(0.35, 1.1)), len(points)) * rng.uniform(0.85, 1.15, len(points))
    return Tube(tuple((float(x), float(y), float(z)) for x, y, z in points), tuple(float(r) for r in radii))


def _paint_structure(canvas: Canvas, structure: _Structure, label: int, rng: np.random.Generator) -> bool:
    """Paint it, and what is in it; False if none of it lies in the volume."""
    region = canvas.around(structure.shape)
    if region is None:
        return False
    bumps = canvas.bumps(int(rng.integers(3)), region.box)
    bumpy = structure.shape.distance(region.x, region.y, region.z) + np.float32(structure.bump_mm) * bumps
    distance: Field = np.asarray(bumpy, np.float32)
    inside = distance < 0
    if not inside.any():
        return False
    around = float(canvas.hu[region.box][inside].mean())
    similar = around + float(rng.choice([-1, 1]) * rng.uniform(0.07, 0.15))
    value = similar if rng.random() < _SIMILAR else float(rng.random())
    canvas.paint(region, distance, np.float32(value) + _texture(canvas, region, rng), label)
    if structure.size_mm > 5 and rng.random() < 0.35:  # a wall around something else, of the same structure or of none
        own = rng.random() < 0.6
        canvas.paint(region, distance + np.float32(rng.uniform(2, 4)), float(rng.random()), None if own else 0)
    if structure.size_mm > 9 and rng.random() < 0.5:
        _paint_vessels(canvas, region, distance, structure, rng)
    return True


def _paint_vessels(
    canvas: Canvas, region: Region, distance: Field, structure: _Structure, rng: np.random.Generator
) -> None:
    """Thin tubes inside a structure, brighter or darker, which belong to it."""
    low, high = structure.shape.bounds()
    value = float(rng.random())
    for _ in range(int(rng.integers(1, 4))):
        path = _path((low + high) / 2, 2 * structure.size_mm, 1.0, rng)
        vessel = _tapered(path, float(rng.uniform(0.8, 2)), rng)
        along = vessel.distance(region.x, region.y, region.z)
        canvas.paint(region, np.maximum(along, distance + np.float32(1)), value)


def _texture(canvas: Canvas, region: Region, rng: np.random.Generator) -> Field:
    """Structure within a tissue: none, coarse or fine."""
    amount = float(rng.choice([0.0, 0.02, 0.05]))
    grain = canvas.bumps(int(rng.integers(3)), region.box) * canvas.bumps(int(rng.integers(3)), region.box)
    return np.asarray(np.float32(amount) * grain, np.float32)
