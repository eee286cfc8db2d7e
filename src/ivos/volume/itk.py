"""Arrays on our grids to SimpleITK images and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ivos.volume.geometry import Geometry, Triple

if TYPE_CHECKING:
    import SimpleITK as sitk

    from ivos.volume.volume import Array


def image_of(array: Array, grid: Geometry) -> sitk.Image:
    """A SimpleITK image of voxels (Z, Y, X) on a grid."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(array)
    image.SetSpacing([float(s) for s in reversed(grid.spacing_mm)])
    image.SetOrigin([float(o) for o in grid.origin_mm])
    image.SetDirection([float(v) for v in np.asarray(grid.axes)[::-1].T.ravel()])
    return image


def grid_of(image: sitk.Image) -> Geometry:
    """The grid of a three-dimensional SimpleITK image."""
    x, y, z = (_column(image.GetDirection(), number) for number in range(3))
    width, height, depth = image.GetSize()
    return Geometry(
        shape=(depth, height, width),
        spacing_mm=tuple(reversed(image.GetSpacing())),
        origin_mm=image.GetOrigin(),
        axes=(z, y, x),
    )


def _column(matrix: tuple[float, ...], number: int) -> Triple:
    first, second, third = matrix[number::3]
    return first, second, third
