"""What is known of a scan's structures beside the voxels: their names, which are committed, where each is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ivos.types import Axis

if TYPE_CHECKING:
    from ivos.types import BoolArray
    from ivos.volume.geometry import Shape
    from ivos.volume.labels import Label


class AnnotatedSlice(NamedTuple):
    """That a person has said where a structure is on a slice, and where it is not: all labels there are their word.

    Attributes:
        axis: the array axis along which slices are numbered.
        number: of the slice.
        structure: label id.
    """

    axis: Axis
    number: int
    structure: int


@dataclass(frozen=True)
class AnnotationState:
    """All of that.

    The difference of two of them, ``before ^ after``, leads from either to the other.

    Attributes:
        structures: the structures of the session.
        committed: ids of those that nothing changes.
        drawn: which are drawn where.
    """

    structures: frozenset[Label] = frozenset()
    committed: frozenset[int] = frozenset()
    drawn: frozenset[AnnotatedSlice] = frozenset()

    def __xor__(self, other: AnnotationState) -> AnnotationState:
        return AnnotationState(
            self.structures ^ other.structures, self.committed ^ other.committed, self.drawn ^ other.drawn
        )

    @cached_property
    def by_id(self) -> dict[int, Label]:
        """The structures by ascending id."""
        return {label.id: label for label in sorted(self.structures, key=lambda label: label.id)}

    def slices(self, structure: int, axis: Axis) -> list[int]:
        """Numbers of the slices on which a structure is drawn, ascending."""
        return self._slices.get((structure, axis), [])

    def speaks_of(self, structure: int, axis: Axis, index: int) -> bool:
        """Whether a person has said of any voxel of a slice whether a structure is there: see :meth:`settled`."""
        crossing = any(self.slices(structure, other) for other in Axis if other != axis)
        return crossing or AnnotatedSlice(axis, index, structure) in self.drawn

    def settled(self, structure: int, axis: Axis, index: int, shape: Shape) -> BoolArray:
        """Where on a slice a person has said whether a structure is there or not: (H, W).

        That is everywhere if it is drawn on this slice, and else where drawn slices of the other axes cross it.

        Args:
            structure: label id.
            axis: along which the slice is numbered.
            index: of the slice.
            shape: of the scan (Z, Y, X).
        """
        rows, columns = (other for other in Axis if other != axis)
        there = np.zeros((shape[rows], shape[columns]), bool)
        there[self.slices(structure, rows), :] = True
        there[:, self.slices(structure, columns)] = True
        if AnnotatedSlice(axis, index, structure) in self.drawn:
            there[:] = True
        return there

    @cached_property
    def _slices(self) -> dict[tuple[int, Axis], list[int]]:
        found: dict[tuple[int, Axis], list[int]] = {}
        for axis, index, structure in sorted(self.drawn):
            found.setdefault((structure, axis), []).append(index)
        return found
