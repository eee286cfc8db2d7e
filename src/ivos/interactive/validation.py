"""What a person or a program asks of a session, refused in one line where it cannot be."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from ivos.errors import InputError
from ivos.prompts.prompts import scribble

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import SupportsIndex

    import numpy.typing as npt

    from ivos.interactive.annotation_state import AnnotationState
    from ivos.types import Axis, BoolArray
    from ivos.volume.geometry import Shape
    from ivos.volume.labels import Colour

    Points = Sequence[tuple[int, int]]

HIGHEST_STRUCTURE = 255
"""Of the ids of a session, whose labels are 8-bit numbers."""


def check_new(structure: int, name: str, facts: AnnotationState) -> None:
    """Refuse a structure that cannot be added.

    Raises:
        InputError: its id or name is none, or the id is taken.
    """
    if not isinstance(structure, int | np.integer) or not 1 <= structure <= HIGHEST_STRUCTURE:
        raise InputError(f"structure {structure}: structures are numbered from 1 to {HIGHEST_STRUCTURE}")
    if structure in facts.by_id:
        raise InputError(f"structure {structure} is there already: {facts.by_id[structure].name}")
    check_name(name)


def checked_colour(colour: Sequence[int]) -> Colour:
    """A colour, as plain numbers.

    Raises:
        InputError: it is none.
    """
    if len(colour) != 3 or not all(0 <= part <= 255 for part in colour):
        raise InputError(f"colour {colour}: give red, green and blue of 0 to 255")
    red, green, blue = (int(part) for part in colour)
    return red, green, blue


def check_name(name: str) -> None:
    """Refuse an empty name.

    Raises:
        InputError: it is.
    """
    if not name.strip():
        raise InputError("the structure's name is empty")


def check_there(structures: Iterable[int], facts: AnnotationState) -> None:
    """Refuse structures that the session does not have.

    Raises:
        InputError: one is not there.
    """
    for structure in structures:
        if structure not in facts.by_id:
            raise InputError(f"structure {structure} is not in this session, which has {list(facts.by_id)}; add it")


def check_free(structure: int, facts: AnnotationState) -> None:
    """Refuse a structure whose voxels cannot be changed.

    Raises:
        InputError: it is not there, or committed.
    """
    check_there([structure], facts)
    if structure in facts.committed:
        raise InputError(f"structure {structure} ({facts.by_id[structure].name}) is committed: release it first")


def checked_index(index: SupportsIndex, axis: Axis, shape: Shape) -> int:
    """A slice's number, as a plain one.

    Raises:
        InputError: the scan has no such slice.
    """
    number = operator.index(index)
    if not 0 <= number < shape[axis]:
        raise InputError(f"slice {number}: the scan has {shape[axis]} {axis} slices, 0 to {shape[axis] - 1}")
    return number


def checked_mask(mask: npt.NDArray[Any], axis: Axis, shape: Shape) -> BoolArray:
    """A mask of a slice (H, W).

    Raises:
        InputError: it has another shape, or is not of truth values.
    """
    height, width = (n for a, n in enumerate(shape) if a != axis)
    if mask.shape != (height, width) or mask.dtype != bool:
        found = f"mask of shape {mask.shape}, {mask.dtype}"
        raise InputError(f"{found}: masks of {axis} slices have shape {(height, width)}, bool")
    return mask


def checked_stroke(stroke: BoolArray | Points, width: int, axis: Axis, shape: Shape) -> BoolArray:
    """The pixels (H, W) of a brush stroke, given as they are or as points that a line of a width goes through.

    Raises:
        InputError: another shape or type, no point, points off the slice, no width.
    """
    if isinstance(stroke, np.ndarray):
        return checked_mask(stroke, axis, shape)
    check_points(stroke, axis, shape)
    if not stroke or width < 1:
        raise InputError(f"a brush stroke of {len(stroke)} points, {width} pixels wide: at least one of each is needed")
    height, across = (n for a, n in enumerate(shape) if a != axis)
    return scribble((height, across), stroke, width)


def check_points(points: Points, axis: Axis, shape: Shape) -> None:
    """Refuse points (row, column) that are not on a slice.

    Raises:
        InputError: one is not.
    """
    height, width = (n for a, n in enumerate(shape) if a != axis)
    for row, column in points:
        if not (0 <= row < height and 0 <= column < width):
            raise InputError(f"point ({row}, {column}): rows are 0 to {height - 1}, columns 0 to {width - 1}")
