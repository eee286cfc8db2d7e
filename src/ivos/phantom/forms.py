"""Random forms: ellipsoids and lumps, tubes and trees, sheets."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ivos.phantom.shapes import Cut, Ellipsoid, Point, Shape3d, Shell, Tube, Union3d


@dataclass(frozen=True)
class Structure:
    """A shape before it is painted.

    Attributes:
        shape: its outline.
        bump_mm: deviation of its surface from that.
        size_mm: its half-width, for what is put into it.
    """

    shape: Shape3d
    bump_mm: float
    size_mm: float


_CUT = 0.2  # share of structures that end in a flat face


def random_structure(centre: Point, size_mm: float, extent_mm: float, rng: np.random.Generator) -> Structure:
    """A structure of one kind or another about a place.

    Args:
        centre: where.
        size_mm: its half-width, about; tubes are thinner.
        extent_mm: the scan's width, by which tubes are long.
        rng: draws the kind and the form.
    """
    structure = _whole(centre, size_mm, extent_mm, rng)
    return replace(structure, shape=_cut(structure, centre, rng)) if rng.random() < _CUT else structure


def _cut(structure: Structure, centre: Point, rng: np.random.Generator) -> Cut:
    """Cut off by a plane near its middle, most often about along the slices, as discs and vertebrae end."""
    x, y, z = rng.normal(0, 1, 3) * (0.3, 0.3, 1.0)
    normal = np.array([x, y, z]) / np.linalg.norm([x, y, z])
    place = np.array(centre) + normal * structure.size_mm * rng.uniform(-0.3, 1.0)
    return Cut(structure.shape, _point(place), _point(normal))


def _point(place: np.ndarray) -> Point:
    return float(place[0]), float(place[1]), float(place[2])


def _whole(centre: Point, size: float, extent_mm: float, rng: np.random.Generator) -> Structure:
    kind = rng.choice(["ellipsoid", "lump", "tube", "tree", "sheet"], p=(0.2, 0.3, 0.2, 0.15, 0.15))
    if kind in ("tube", "tree"):
        branches = int(rng.integers(1, 4)) if kind == "tree" else 0
        return _tubes(centre, size, float(rng.uniform(0.4, 1.4) * extent_mm), rng, branches=branches)
    long = float(np.exp(rng.uniform(np.log(0.6), np.log(3.5))))  # through the slices: short discs to long columns
    radii = (size * float(rng.uniform(0.6, 1.3)), size * float(rng.uniform(0.6, 1.3)), size * long)
    angles = tuple(float(a) for a in rng.uniform((-35, -35, 0), (35, 35, 180)))
    body = Ellipsoid(centre, radii, (angles[0], angles[1], angles[2]))
    if kind == "sheet":
        half_mm, cut_mm = float(rng.uniform(1.2, 2.5)), size * float(rng.uniform(-0.4, 0.6))
        return Structure(Shell(body, half_mm, cut_mm), bump_mm=0.4, size_mm=half_mm)
    return Structure(body, size * float(rng.uniform(0.1, 0.3)) * (kind == "lump"), size)


def _tubes(centre: Point, size: float, length: float, rng: np.random.Generator, *, branches: int) -> Structure:
    """A tube, with branches that leave it on the way."""
    radius = float(np.clip(size * 0.35, 1.5, 11))
    across = float(rng.choice([0.25, 1.0]))  # along the slices' normal, or any way
    stem = path(np.array(centre), length, across, rng)
    tubes = [random_tube(stem, radius, rng)]
    for _ in range(branches):
        start = stem[int(rng.integers(1, len(stem) - 1))]
        tubes.append(random_tube(path(start, length / 2, 1.0, rng), radius * float(rng.uniform(0.5, 0.9)), rng))
    return Structure(Union3d(tuple(tubes), blend_mm=radius) if branches else tubes[0], 0.1 * radius, radius)


def path(start: np.ndarray, length: float, across: float, rng: np.random.Generator) -> np.ndarray:
    """Points of a line that bends as it goes."""
    direction = rng.normal(0, 1, 3) * (across, across, 1.0)
    steps = []
    for _ in range(4):
        direction = direction / np.linalg.norm(direction) + rng.normal(0, 0.35, 3) * (across + 0.3)
        steps.append(direction / np.linalg.norm(direction) * length / 4)
    points: np.ndarray = start + np.vstack([np.zeros(3), np.cumsum(steps, axis=0)])
    points -= (points[-1] - start) * rng.uniform(0, 0.6)  # the start lies somewhere on its way
    return points


def random_tube(points: np.ndarray, radius: float, rng: np.random.Generator) -> Tube:
    """A tube along points, its radius in mm falling or steady."""
    radii = radius * np.linspace(1, float(rng.uniform(0.35, 1.1)), len(points)) * rng.uniform(0.85, 1.15, len(points))
    return Tube(tuple((float(x), float(y), float(z)) for x, y, z in points), tuple(float(r) for r in radii))
