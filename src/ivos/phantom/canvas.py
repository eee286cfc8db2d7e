"""The volume that a phantom is painted on, layer by layer, with soft edges and labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ivos.phantom.fields import Field, smooth_field

if TYPE_CHECKING:
    from ivos.phantom.shapes import Shape3d
    from ivos.volume.geometry import Geometry

_MARGIN_MM = 16.0  # how far deformation and bumps may carry a surface
_BUMPS = 3
_STRIDE = 3  # voxels in plane from one to the next that is asked for a rough distance

Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Region:
    """A part of the canvas, with the places (x, y, z) of its voxels in mm after deformation, each (Z, Y, X)."""

    box: Box
    x: Field
    y: Field
    z: Field

    def distance(self, shape: Shape3d, reach_mm: float) -> Field:
        """Distance in mm to a shape's surface (Z, Y, X): exact within reach of it and inside, rough beyond.

        Most of a region is far from a thin structure: only near it is every voxel asked. For voxels of 1 mm in plane.
        """
        rough = shape.distance(*(np.ascontiguousarray(p[:, 1::_STRIDE, 1::_STRIDE]) for p in (self.x, self.y, self.z)))
        if not rough.size:
            return shape.distance(self.x, self.y, self.z)
        rows, columns = (
            np.minimum(np.arange(n) // _STRIDE, m - 1) for n, m in zip(self.x.shape[1:], rough.shape[1:], strict=True)
        )
        distance: Field = np.ascontiguousarray(rough[:, rows[:, None], columns[None, :]])
        near = np.flatnonzero(distance < reach_mm + 1.3 * _STRIDE)  # the sampled voxel is not the nearest of its cell
        distance.reshape(-1)[near] = shape.distance(*(p.ravel()[near] for p in (self.x, self.y, self.z)))
        return distance


class Canvas:
    """Intensities (in HU for a body) and labels on a grid, with a smooth random deformation of the body.

    Args:
        grid: the voxels; their LPS points are mm from the body's centre.
        rng: draws the deformation.
        warp_mm: standard deviation of the deformation along each axis.
        wavelength_mm: over which it varies.
    """

    def __init__(self, grid: Geometry, rng: np.random.Generator, *, warp_mm: float, wavelength_mm: float) -> None:
        self.grid = grid
        self.hu: Field = np.full(grid.shape, -1000, np.float32)
        self.labels: npt.NDArray[np.uint8] = np.zeros(grid.shape, np.uint8)
        self._axes = [
            (grid.origin_mm[2 - a] + np.arange(n) * s).astype(np.float32)
            for a, (n, s) in enumerate(zip(grid.shape, grid.spacing_mm, strict=True))
        ]  # z, y, x
        fields = (smooth_field(rng, grid.shape, grid.spacing_mm, wavelength_mm) for _ in range(3))
        self._warp = [np.float32(warp_mm) * field for field in fields]
        self._bumps = [smooth_field(rng, grid.shape, grid.spacing_mm, w) for w in np.linspace(34, 60, _BUMPS)]

    def everywhere(self) -> Region:
        """The whole canvas."""
        return self._region((slice(None), slice(None), slice(None)))

    def plane(self) -> tuple[Field, Field]:
        """Places x (1, 1, X) and y (1, Y, 1) in mm without deformation: for what does not belong to the body."""
        return self._axes[2][None, None, :], self._axes[1][None, :, None]

    def around(self, shape: Shape3d) -> Region | None:
        """The part of the canvas where a shape may lie; None if it lies outside."""
        low, high = shape.bounds()
        spans = []
        for axis, places in enumerate(self._axes):
            first, last = low[2 - axis] - _MARGIN_MM, high[2 - axis] + _MARGIN_MM
            inside = np.flatnonzero((places >= first) & (places <= last))
            if not inside.size:
                return None
            spans.append(slice(int(inside[0]), int(inside[-1]) + 1))
        return self._region((spans[0], spans[1], spans[2]))

    def bumps(self, number: int, box: Box) -> Field:
        """One of a few random fields that give organs a surface of their own; deviation about 1."""
        return self._bumps[number % _BUMPS][box]

    def paint(self, region: Region, distance: Field, hu: Field | float, label: int | None = None) -> None:
        """Paint the inside of a surface over what is there, mixing along its edge as partial volume does.

        Args:
            region: where.
            distance: mm to the surface (Z, Y, X) in the region, negative inside.
            hu: the new intensity.
            label: the new label; None leaves labels as they are.
        """
        edge_mm = np.float32(max(self.grid.spacing_mm[1:]))
        share = np.clip(np.float32(0.5) - distance / edge_mm, 0, 1)
        self.hu[region.box] += share * (np.asarray(hu, np.float32) - self.hu[region.box])
        if label is not None:
            self.labels[region.box][distance < 0] = label

    def _region(self, box: Box) -> Region:
        z, y, x = (places[span] for places, span in zip(self._axes, box, strict=True))
        return Region(
            box,
            x[None, None, :] + self._warp[0][box],
            y[None, :, None] + self._warp[1][box],
            z[:, None, None] + self._warp[2][box],
        )
