"""Arrays on our grids to SimpleITK images, and those into files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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


def write_image(path: Path, array: Array, grid: Geometry, fields: Mapping[str, str] | None = None) -> None:
    """Write voxels (Z, Y, X) on a grid, packed, in the format that the suffix names; fields go into the header.

    Raises:
        OSError: the file could not be written.
    """
    import SimpleITK as sitk

    image = image_of(array, grid)
    for key, value in (fields or {}).items():
        image.SetMetaData(key, value)
    try:
        sitk.WriteImage(image, str(path), useCompression=True)
    except RuntimeError as error:
        raise OSError("disk full or not permitted?") from error
