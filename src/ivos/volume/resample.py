"""Volumes on another grid."""

from __future__ import annotations

import numpy as np

from ivos.volume.geometry import Geometry
from ivos.volume.itk import image_of
from ivos.volume.volume import Volume


def resample_scan(scan: Volume, grid: Geometry) -> Volume:
    """Intensities at the voxels of another grid, interpolated linearly; beyond the scan its lowest value."""
    return _resampled(scan, grid, labels=False)


def resample_labels(labels: Volume, grid: Geometry) -> Volume:
    """Labels at the voxels of another grid: each takes the id of the nearest voxel, 0 beyond the labels.

    No id appears that was not there before.
    """
    return _resampled(labels, grid, labels=True)


def grid_of_spacing(volume: Volume, spacing_mm: tuple[float, float, float]) -> Geometry:
    """The grid of the same field of view with another spacing (z, y, x)."""
    old = volume.geometry
    shape = [max(1, round(n * s / new)) for n, s, new in zip(old.shape, old.spacing_mm, spacing_mm, strict=True)]
    edge = [(new - s) / 2 / s for s, new in zip(old.spacing_mm, spacing_mm, strict=True)]  # outer faces stay in place
    x, y, z = (float(v) for v in old.points_mm([edge])[0])
    return Geometry((shape[0], shape[1], shape[2]), spacing_mm, (x, y, z), old.axes)


def _resampled(volume: Volume, grid: Geometry, *, labels: bool) -> Volume:
    import SimpleITK as sitk

    reference = image_of(np.zeros(grid.shape, np.uint8), grid)
    lowest = 0.0 if labels else float(volume.array.min())
    interpolator = sitk.sitkNearestNeighbor if labels else sitk.sitkLinear
    moved = sitk.Resample(image_of(volume.array, volume.geometry), reference, sitk.Transform(), interpolator, lowest)
    return Volume.from_array(sitk.GetArrayFromImage(moved), grid, modality=volume.modality, names=dict(volume.names))
