"""Where the voxels of an array lie in the patient.

Conventions, stated once: arrays are indexed (z, y, x), and so are ``shape``, ``spacing_mm`` and the rows of ``axes``.
Points are (x, y, z) in LPS+ millimetres (x towards the patient's left, y posterior, z superior), as in DICOM and
SimpleITK; NIfTI files are RAS+, which SimpleITK converts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations, product
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ivos.types import Axis

Triple = tuple[float, float, float]
Shape = tuple[int, int, int]
Scalar = TypeVar("Scalar", bound=np.generic)

CANONICAL_AXES: tuple[Triple, Triple, Triple] = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
"""Inside ivos slices go up the patient, rows to the back, columns to the patient's left."""

LARGEST_SHEAR_DEGREES = 0.2
"""By how much axes may be off right angles, from rounding for example; DICOM readers allow as much."""

TILTED = "its axes are not at right angles (gantry tilt or shear); resample it to an upright grid first"


@dataclass(frozen=True)
class Geometry:
    """The grid of a volume.

    Attributes:
        shape: voxels along (z, y, x).
        spacing_mm: distance between voxel centres along (z, y, x).
        origin_mm: the centre of voxel [0, 0, 0], an LPS point (x, y, z).
        axes: row a is the LPS unit vector along array axis a.
    """

    shape: Shape
    spacing_mm: Triple
    origin_mm: Triple
    axes: tuple[Triple, Triple, Triple] = CANONICAL_AXES

    def points_mm(self, indices: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """LPS points (N, 3) of array indices (N, 3)."""
        steps = np.asarray(indices, float) * np.asarray(self.spacing_mm)
        points: npt.NDArray[np.float64] = np.asarray(self.origin_mm) + steps @ np.asarray(self.axes)
        return points

    def indices_at(self, points_mm: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Array indices (N, 3), with fractions, of LPS points (N, 3): what undoes :meth:`points_mm`."""
        along = (np.asarray(points_mm, float) - np.asarray(self.origin_mm)) @ np.asarray(self.axes).T
        indices: npt.NDArray[np.float64] = along / np.asarray(self.spacing_mm)
        return indices

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of a voxel in millilitres."""
        return float(np.prod(self.spacing_mm)) / 1000.0

    @property
    def through_plane_axis(self) -> Axis:
        """The array axis with the widest spacing; axis 0 unless another is wider by more than 10 %."""
        widest = int(np.argmax(self.spacing_mm))
        return Axis(widest) if self.spacing_mm[widest] > 1.1 * self.spacing_mm[0] else Axis.AXIAL

    def describe(self) -> str:
        """Size and spacing as a person reads them: ``512 x 512 x 20 voxels of 0.98 x 0.98 x 2 mm`` (x, y, z)."""
        size = " x ".join(str(n) for n in reversed(self.shape))
        spacing = " x ".join(f"{s:.3g}" for s in reversed(self.spacing_mm))
        return f"{size} voxels of {spacing} mm"


@dataclass(frozen=True)
class Reorientation:
    """A change of array axis order and direction; it moves voxels and never resamples.

    Attributes:
        order: new axis a is old axis ``order[a]``.
        flip: whether new axis a then runs backwards.
    """

    order: tuple[int, int, int]
    flip: tuple[bool, bool, bool]

    def array(self, array: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """A view of ``array`` (three axes) in the new orientation."""
        steps = tuple(slice(None, None, -1 if flip else 1) for flip in self.flip)
        return array.transpose(self.order)[steps]

    def geometry(self, geometry: Geometry) -> Geometry:
        """The grid of the reoriented array: the same points, numbered otherwise."""
        corner = np.zeros(3)
        for new, old in enumerate(self.order):
            corner[old] = geometry.shape[old] - 1 if self.flip[new] else 0
        a, b, c = self.order
        signs = [-1.0 if flip else 1.0 for flip in self.flip]
        x, y, z = geometry.points_mm(corner[None])[0]
        rows = [tuple(s * v for v in geometry.axes[o]) for s, o in zip(signs, self.order, strict=True)]
        return Geometry(
            shape=(geometry.shape[a], geometry.shape[b], geometry.shape[c]),
            spacing_mm=(geometry.spacing_mm[a], geometry.spacing_mm[b], geometry.spacing_mm[c]),
            origin_mm=(float(x), float(y), float(z)),
            axes=(rows[0], rows[1], rows[2]),  # type: ignore[arg-type]
        )

    def inverse(self) -> Reorientation:
        """The reorientation that undoes this one."""
        a, b, c = (self.order.index(old) for old in range(3))
        return Reorientation((a, b, c), (self.flip[a], self.flip[b], self.flip[c]))


def reorientation(source: Geometry, axes: tuple[Triple, Triple, Triple] = CANONICAL_AXES) -> Reorientation:
    """The reorientation that brings the array axes of ``source`` closest to ``axes``.

    The axis order is the one of the six with the largest sum of absolute cosines, so that oblique grids are assigned
    as a whole, not axis by axis.
    """
    cosines = np.asarray(axes) @ np.asarray(source.axes).T  # [wanted, present]
    order = max(permutations(range(3)), key=lambda o: sum(abs(cosines[a, o[a]]) for a in range(3)))
    a, b, c = order
    flips = [bool(cosines[new, old] < 0) for new, old in enumerate(order)]
    return Reorientation((a, b, c), (flips[0], flips[1], flips[2]))


def largest_shear_degrees(grid: Geometry) -> float:
    """By how much the angle between two axes is off 90 degrees, at most."""
    axes = np.asarray(grid.axes)
    cosines = np.abs(axes @ axes.T)[np.triu_indices(3, 1)]
    return float(np.degrees(np.arcsin(np.minimum(cosines, 1.0))).max())


def upright(grid: Geometry) -> Geometry:
    """The grid with axes at right angles that is closest to a slightly sheared one; its middle stays where it is."""
    axes = np.asarray(grid.axes)
    if np.allclose(axes @ axes.T, np.eye(3), rtol=0, atol=1e-6):
        return grid
    left, _, right = np.linalg.svd(axes)
    straight = left @ right
    middle = (np.asarray(grid.shape) - 1) / 2
    x, y, z = grid.points_mm(middle[None])[0] - (middle * np.asarray(grid.spacing_mm)) @ straight
    rows = [(float(a), float(b), float(c)) for a, b, c in straight]
    return replace(grid, origin_mm=(float(x), float(y), float(z)), axes=(rows[0], rows[1], rows[2]))


def displacement_mm(a: Geometry, b: Geometry) -> float:
    """The largest distance between the same corner voxel of two grids of one shape."""
    corners = [[i * (n - 1) for i, n in zip(corner, a.shape, strict=True)] for corner in product((0, 1), repeat=3)]
    return float(np.linalg.norm(a.points_mm(corners) - b.points_mm(corners), axis=1).max())


def difference(expected: Geometry, found: Geometry, *, rounding_mm: float = 0.0) -> str | None:
    """How ``found`` differs from ``expected``, in a few words with figures; None for the same grid of points.

    Both are compared in the axis order given: align them first with :func:`reorientation`. Rounding of file headers
    is not a difference: corners may be apart by a twentieth of the smallest spacing, or by ``rounding_mm`` where more
    of it is known, but never by more than a quarter of that spacing.
    """
    if expected.shape != found.shape:
        sizes = [" x ".join(str(n) for n in reversed(g.shape)) for g in (found, expected)]
        return f"its size is {sizes[0]}, the scan's {sizes[1]} (x, y, z in the scan's axis order)"
    apart = displacement_mm(expected, found)
    if apart <= max(0.05 * min(expected.spacing_mm), min(rounding_mm, 0.25 * min(expected.spacing_mm))):
        return None
    parts = [f"corners are up to {apart:.3g} mm apart"]
    spacing = max(abs(p - q) for p, q in zip(expected.spacing_mm, found.spacing_mm, strict=True))
    if spacing > 1e-3:
        parts.append(f"spacing differs by up to {spacing:.3g} mm")
    origin = float(np.linalg.norm(np.subtract(expected.origin_mm, found.origin_mm)))
    if origin > 1e-3:
        parts.append(f"origin by {origin:.3g} mm")
    cosines = np.clip((np.asarray(expected.axes) * np.asarray(found.axes)).sum(1), -1, 1)
    angle = float(np.degrees(np.arccos(cosines)).max())
    if angle > 0.05:
        parts.append(f"directions by {angle:.2g} degrees")
    return ", ".join(parts)
