"""Arrays on our grids to SimpleITK images and back."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from ivos.volume.geometry import Geometry, Triple

if TYPE_CHECKING:
    from collections.abc import Iterator

    import SimpleITK as sitk

    from ivos.volume.volume import Array


class _Warnings:
    """ITK's own switch of its warnings, which is one for the process: off while any thread wants it so."""

    def __init__(self) -> None:
        self._lock, self._off, self._before = Lock(), 0, True

    def switch_off(self) -> None:
        from SimpleITK import ProcessObject

        with self._lock:
            if not self._off:
                self._before = ProcessObject.GetGlobalWarningDisplay()
                ProcessObject.SetGlobalWarningDisplay(False)
            self._off += 1

    def restore(self) -> None:
        from SimpleITK import ProcessObject

        with self._lock:
            self._off -= 1
            if not self._off:
                ProcessObject.SetGlobalWarningDisplay(self._before)


_WARNINGS = _Warnings()


@contextmanager
def without_itk_warnings() -> Iterator[None]:
    """Keep ITK's readers from writing to the terminal; what they warn of has to be checked by who calls them."""
    _WARNINGS.switch_off()
    try:
        yield
    finally:
        _WARNINGS.restore()


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
