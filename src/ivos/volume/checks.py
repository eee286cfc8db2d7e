"""What arrays must be to be a scan or its labels, whether they come from a file or from a program."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ivos.errors import InputError, counted
from ivos.volume.geometry import LARGEST_SHEAR_DEGREES, TILTED, Geometry, largest_shear_degrees

if TYPE_CHECKING:
    import numpy.typing as npt

    from ivos.volume.geometry import Shape
    from ivos.volume.volume import Volume

_ROUNDED, _ULPS = 1e-4, 4  # what labels of floating-point types may be off whole numbers, by arithmetic
_HIGHEST = int(np.iinfo(np.uint32).max)


def check_array(array: npt.NDArray[Any], shape: Shape, what: str) -> None:
    """Refuse what is not one finite real number for each voxel of a grid.

    Args:
        array: voxels.
        shape: of the grid, (Z, Y, X).
        what: how to name the array in an error.

    Raises:
        InputError: it is not.
    """
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        found = str(array.dtype) if isinstance(array, np.ndarray) else type(array).__name__
        raise InputError(f"{what}: voxels are {found}; ivos needs a numpy array of real numbers of up to 64 bits")
    if isinstance(array, np.ma.MaskedArray):
        raise InputError(f"{what}: a masked array; give a plain one, with what is masked filled (by air, for example)")
    if array.ndim != 3 or array.size == 0:
        raise InputError(f"{what}: an array of shape {array.shape}; ivos needs one of three axes (z, y, x)")
    if array.shape != tuple(shape):
        raise InputError(f"{what}: an array of shape {array.shape} on a grid of shape {tuple(shape)} (z, y, x)")
    if array.dtype.kind == "f":
        bad = sum(plane.size - int(np.isfinite(plane).sum()) for plane in array)
        if bad:
            are = "is" if bad == 1 else "are"
            found = f"{counted(bad, 'voxel')} {are} NaN or infinite"
            raise InputError(f"{what}: {found}; replace them (by air, for example) first")


def check_grid(grid: Geometry, what: str) -> None:
    """Refuse what is not a grid of voxels.

    Raises:
        InputError: spacing that is not above 0, an origin that is not finite, axes that are not at right angles.
    """
    spacing, origin, axes = np.asarray(grid.spacing_mm), np.asarray(grid.origin_mm), np.asarray(grid.axes)
    if spacing.shape != (3,) or not (np.isfinite(spacing).all() and spacing.min() > 0):
        raise InputError(f"{what}: a spacing of {grid.spacing_mm} mm; it must be above 0 along (z, y, x)")
    if origin.shape != (3,) or not np.isfinite(origin).all():
        raise InputError(f"{what}: an origin of {grid.origin_mm}; it must be a point (x, y, z) in mm")
    if axes.shape != (3, 3) or not np.allclose(np.linalg.norm(axes, axis=1), 1, atol=1e-3):
        raise InputError(f"{what}: axes {grid.axes}; they must be three vectors of length 1")
    if largest_shear_degrees(grid) >= LARGEST_SHEAR_DEGREES:
        raise InputError(f"{what}: {TILTED}")


def check_slices(volume: Volume, what: str) -> None:
    """Refuse a volume that is a single slice.

    Raises:
        InputError: it is.
    """
    if min(volume.array.shape) < 2:
        size = " x ".join(str(n) for n in reversed(volume.array.shape))
        raise InputError(f"{what}: two-dimensional ({size} voxels); ivos needs a volume of several slices")


def check_volume(volume: Volume, what: str) -> None:
    """Refuse a volume that ``Volume.from_array`` could not have made.

    Raises:
        InputError: as :func:`check_array` and :func:`check_grid`.
    """
    check_grid(volume.geometry, what)
    check_array(volume.array, volume.geometry.shape, what)


def check_scan(scan: Volume, what: str = "scan") -> None:
    """Refuse a volume that :func:`ivos.read` could not have read.

    Raises:
        InputError: as :func:`check_volume` and :func:`check_slices`.
    """
    check_volume(scan, what)
    check_slices(scan, what)


def checked_labels(labels: Volume, what: str, *, step: float = 0.0) -> Volume:
    """Labels as unsigned integers, of the smallest type that holds them.

    Args:
        labels: label ids of any type.
        what: how to name them in an error, a path for example.
        step: what a value grows by where a stored integer grows by 1, for labels that were scaled so.

    Raises:
        InputError: as :func:`check_volume`; they are negative, fractional, or above 4294967295.
    """
    check_volume(labels, what)
    array = labels.array
    if array.dtype.kind == "b" or array.dtype == np.uint8:
        return labels if array.dtype == np.uint8 else replace(labels, array=array.astype(np.uint8))
    lowest, highest = array.min(), array.max()
    slack = _slack(array.dtype, float(highest), step)
    if lowest < -slack:
        raise InputError(f"{what}: labels must be 0 or more, found {lowest:g}; is this a scan, not labels?")
    if highest > _HIGHEST:
        raise InputError(f"{what}: label {int(highest)} is too large; labels go up to {_HIGHEST}")
    dtype = np.min_scalar_type(int(np.rint(highest)))
    if array.dtype.kind != "f":
        return labels if array.dtype == dtype else replace(labels, array=array.astype(dtype))
    whole = np.empty(array.shape, dtype)
    for plane, values in zip(whole, array, strict=True):
        rounded = np.rint(values)
        off = np.abs(values - rounded) > slack
        if off.any():
            found = float(values[off][0])
            raise InputError(
                f"{what}: labels must be whole numbers, found {found:g}; resample labels by nearest neighbour"
            )
        plane[...] = rounded
    return replace(labels, array=whole)


def _slack(dtype: np.dtype[Any], highest: float, step: float) -> float:
    """By how much labels may be off whole numbers: by rounding, and by half a step where steps are below 1."""
    if dtype.kind != "f":
        return 0.0
    rounding = min(_ROUNDED + _ULPS * float(np.finfo(dtype).eps) * abs(highest), 0.1)
    return rounding + (step / 2 if step < 1 else 0.0)
