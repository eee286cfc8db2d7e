"""Arrays on our grids to SimpleITK images and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import SimpleITK as sitk

    from ivos.types import Array
    from ivos.volume.geometry import Geometry


def image_of(array: Array, grid: Geometry) -> sitk.Image:
    """A SimpleITK image of voxels (Z, Y, X) on a grid."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(array)
    image.SetSpacing([float(s) for s in reversed(grid.spacing_mm)])
    image.SetOrigin([float(o) for o in grid.origin_mm])
    image.SetDirection([float(v) for v in np.asarray(grid.axes)[::-1].T.ravel()])
    return image
