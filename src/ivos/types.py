"""Types that every room uses: arrays, the axis of a stack of slices, progress."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ivos.errors import InputError

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
LabelArray = npt.NDArray[np.uint8]

Progress = Callable[[int, int], None]
"""Called with how much is done and how much there is in all."""

AxisName = Literal["axial", "coronal", "sagittal"]


class Axis(IntEnum):
    """The axis of a canonical array (Z, Y, X) along which slices are stacked; its text names the plane they lie in.

    >>> str(Axis.CORONAL), int(Axis.CORONAL), Axis.parse("coronal")
    ('coronal', 1, <Axis.CORONAL: 1>)
    """

    AXIAL = 0
    CORONAL = 1
    SAGITTAL = 2

    def __str__(self) -> str:
        return self.plane

    @property
    def plane(self) -> AxisName:
        """Of the slices: axial, coronal or sagittal."""
        planes: tuple[AxisName, ...] = ("axial", "coronal", "sagittal")
        return planes[self]

    @classmethod
    def parse(cls, axis: Axis | str) -> Axis:
        """The axis of that name.

        Raises:
            InputError: it is no axis.
        """
        if isinstance(axis, Axis):
            return axis
        for one in cls:
            if axis == one.plane:
                return one
        raise InputError(f"axis '{axis}': choose one of {', '.join(map(str, cls))}")
