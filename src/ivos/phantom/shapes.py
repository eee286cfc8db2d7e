"""Shapes as signed distance functions: negative inside, approximately in mm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline

if TYPE_CHECKING:
    from ivos.phantom.fields import Field

Point = tuple[float, float, float]
"""x to the patient's left, y to the back, z to the head, in mm from the body's centre."""


class Shape3d(Protocol):
    """Something with a surface."""

    def bounds(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Lowest and highest corner (x, y, z) in mm."""

    def distance(self, x: Field, y: Field, z: Field) -> Field:
        """About the distance in mm of places to the surface, negative inside."""


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid, turned by angles in degrees about x, y and z."""

    centre: Point
    radii: Point
    turned: Point = (0.0, 0.0, 0.0)

    def bounds(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Corners of the box around it."""
        reach = np.sqrt(((self._rotation().T * np.asarray(self.radii)) ** 2).sum(axis=1))
        return np.asarray(self.centre) - reach, np.asarray(self.centre) + reach

    def distance(self, x: Field, y: Field, z: Field) -> Field:
        """Distance by the gradient of the scaled radius: exact at the surface, good near it."""
        offsets = [p - np.float32(c) for p, c in zip((x, y, z), self.centre, strict=True)]
        rotation = self._rotation().astype(np.float32)
        scaled, steeper = np.float32(0), np.float32(0)
        for row, radius in zip(rotation, self.radii, strict=True):
            along = (row[0] * offsets[0] + row[1] * offsets[1] + row[2] * offsets[2]) / np.float32(radius)
            scaled = scaled + along**2
            steeper = steeper + (along / np.float32(radius)) ** 2
        k0, k1 = np.sqrt(scaled), np.sqrt(steeper)
        return np.asarray(k0 * (k0 - 1) / np.maximum(k1, 1e-6), np.float32)

    def _rotation(self) -> npt.NDArray[np.float64]:
        a, b, c = np.radians(self.turned)
        about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
        about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
        about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
        matrix: npt.NDArray[np.float64] = (about_z @ about_y @ about_x).T
        return matrix


@dataclass(frozen=True)
class Tube:
    """A tube along a smooth curve through some points, with a radius at each; ``flat`` below 1 flattens it along y."""

    points: tuple[Point, ...]
    radii: tuple[float, ...]
    flat: float = 1.0

    def bounds(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Corners of the box around it."""
        curve, radii = self._curve()
        return (curve - radii[:, None]).min(axis=0), (curve + radii[:, None]).max(axis=0)

    def distance(self, x: Field, y: Field, z: Field) -> Field:
        """Distance to the nearest of many straight pieces, less the radius there."""
        curve, radii = (part.astype(np.float32) for part in self._curve())
        stretch = np.array([1, 1 / self.flat, 1], np.float32)
        best = np.full(x.shape, np.inf, np.float32)
        for start, end, first, last in zip(curve[:-1], curve[1:], radii[:-1], radii[1:], strict=True):
            piece = (end - start) * stretch
            offsets = [(p - s) * f for p, s, f in zip((x, y, z), start, stretch, strict=True)]
            along = sum(o * d for o, d in zip(offsets, piece, strict=True)) / max(float(piece @ piece), 1e-6)
            t = np.clip(along, 0, 1)
            apart = np.sqrt(sum((o - t * d) ** 2 for o, d in zip(offsets, piece, strict=True)))
            np.minimum(best, apart - (first + t * (last - first)), out=best)
        return best

    def _curve(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        points = np.asarray(self.points, float)
        pieces = np.linalg.norm(np.diff(points, axis=0), axis=1)
        lengths = np.concatenate([[0], np.maximum(pieces, 1e-3).cumsum()])  # points may coincide
        places = np.linspace(0, lengths[-1], 6 * (len(points) - 1) + 1)
        return CubicSpline(lengths, points)(places), np.interp(places, lengths, self.radii)


@dataclass(frozen=True)
class Union3d:
    """Several shapes in one, their seams rounded over ``blend_mm``."""

    parts: tuple[Shape3d, ...]
    blend_mm: float = 8.0

    def bounds(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Corners of the box around all."""
        corners = [part.bounds() for part in self.parts]
        return np.min([low for low, _ in corners], axis=0), np.max([high for _, high in corners], axis=0)

    def distance(self, x: Field, y: Field, z: Field) -> Field:
        """The smooth minimum of the parts' distances."""
        total = self.parts[0].distance(x, y, z)
        for part in self.parts[1:]:
            other = part.distance(x, y, z)
            near = np.maximum(self.blend_mm - np.abs(total - other), 0) / np.float32(self.blend_mm)
            total = np.minimum(total, other) - near**2 * np.float32(self.blend_mm / 4)
        return total


@dataclass(frozen=True)
class Cut:
    """A shape without what lies beyond a plane.

    Attributes:
        whole: the shape.
        place: a point of the plane.
        normal: of length 1, to the side that is cut off.
    """

    whole: Shape3d
    place: Point
    normal: Point

    def bounds(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Corners of the box around the whole shape."""
        return self.whole.bounds()

    def distance(self, x: Field, y: Field, z: Field) -> Field:
        """Distance from the shape or from the plane, whichever is farther out."""
        terms = (
            np.float32(n) * (p - np.float32(c)) for n, p, c in zip(self.normal, (x, y, z), self.place, strict=True)
        )
        return np.asarray(np.maximum(self.whole.distance(x, y, z), sum(terms)), np.float32)


@dataclass(frozen=True)
class Shell:
    """A thin sheet: the skin of an ellipsoid on one side of a plane through it.

    Attributes:
        body: the ellipsoid.
        half_mm: half the sheet's thickness.
        cut_mm: how far from the ellipsoid's centre it is cut off along x.
    """

    body: Ellipsoid
    half_mm: float
    cut_mm: float

    def bounds(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Corners of the box around the whole ellipsoid."""
        low, high = self.body.bounds()
        return low - self.half_mm, high + self.half_mm

    def distance(self, x: Field, y: Field, z: Field) -> Field:
        """Distance from the skin, less half the thickness, and from the plane."""
        sheet = np.abs(self.body.distance(x, y, z)) - np.float32(self.half_mm)
        beyond = x - np.float32(self.body.centre[0] + self.cut_mm)
        return np.asarray(np.maximum(sheet, beyond), np.float32)
