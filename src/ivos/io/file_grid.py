"""The grid that a file header describes, checked: NRRD and MetaImage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ivos.errors import InputError
from ivos.volume.checks import check_grid
from ivos.volume.geometry import Geometry, Triple, upright

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from ivos.volume.geometry import Shape

_UNIT_TOLERANCE = 0.01  # of the length of a direction vector


def grid_of_header(
    path: Path,
    size_xyz: Sequence[int],
    spacing_xyz_mm: Sequence[float],
    directions_xyz: npt.ArrayLike,
    origin_mm: Sequence[float],
) -> Geometry:
    """The grid of a file.

    Args:
        path: of the file, for messages.
        size_xyz: voxels along the axes as the file orders them, the fastest first.
        spacing_xyz_mm: spacing along each.
        directions_xyz: the LPS vector along each, of length 1.
        origin_mm: the LPS point of the first voxel.

    Raises:
        InputError: a spacing that is not above zero, directions that are no directions or not at right angles, or
            numbers that are not finite.
    """
    directions = np.asarray(directions_xyz, float)
    if not (np.isfinite(directions).all() and np.isfinite(origin_mm).all() and np.isfinite(spacing_xyz_mm).all()):
        raise InputError(
            f"{path}: its header has a spacing, origin or direction that is not finite; correct the header"
        )
    for name, spacing in zip("xyz", spacing_xyz_mm, strict=True):
        if spacing <= 0:
            kind = "negative" if spacing < 0 else "zero"
            raise InputError(f"{path}: {kind} spacing ({spacing:g} mm along {name}) in its header; correct the header")
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(directions, axis=1)
    if np.abs(lengths - 1).max() > _UNIT_TOLERANCE:
        raise InputError(f"{path}: the directions in its header are not of length 1; correct the header")
    x, y, z = (_triple(row) for row in directions / lengths[:, None])
    width, height, depth = size_xyz
    shape: Shape = (int(depth), int(height), int(width))
    grid = Geometry(shape, _triple(spacing_xyz_mm[::-1]), _triple(origin_mm), (z, y, x))
    check_grid(grid, str(path))
    return upright(grid)


def _triple(values: npt.ArrayLike) -> Triple:
    a, b, c = (float(v) for v in np.asarray(values, float))
    return a, b, c
