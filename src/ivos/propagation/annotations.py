"""Drawn slices: what they say of each structure, and what they leave open."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ivos.errors import InputError
from ivos.propagation.masks import masks_of
from ivos.types import Axis
from ivos.volume.labels import structures_in, without_ignored

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ivos.propagation.masks import Masks
    from ivos.types import Array, BoolArray, FloatArray
    from ivos.volume.volume import Volume


@dataclass(frozen=True)
class Annotations:
    """Some drawn slices of a scan, stacked along the axis to walk.

    A structure that is drawn on a slice is known there. One that is not drawn there is open (it may or may not be
    present) unless the slice is complete: then it is known to be absent.

    Attributes:
        labels: (N, H, W) label ids, 0 where nothing is drawn.
        structures: the K label ids to carry on, ascending.
        complete: the slices on which everything that is present is drawn.
    """

    labels: Array
    structures: tuple[int, ...]
    complete: frozenset[int] = frozenset()

    @cached_property
    def known(self) -> BoolArray:
        """(N, K) whether slice n speaks of structure k."""
        known = np.zeros((len(self.labels), len(self.structures)), bool)
        for index in np.flatnonzero(self.labels.any(axis=(1, 2))):
            known[index] = np.isin(self.structures, self.labels[index])
        known[sorted(self.complete)] = True
        return known

    @cached_property
    def slices(self) -> tuple[int, ...]:
        """The numbers of the annotated slices, ascending."""
        return tuple(int(index) for index in np.flatnonzero(self.known.any(axis=1)))

    def masks(self, index: int) -> Masks:
        """What is drawn on a slice, 0 or 1."""
        return masks_of(self.labels[index], self.structures)

    def distances(self, index: int) -> tuple[FloatArray, FloatArray]:
        """Slices from the last known slice at or before ``index``, and to the next at or after it; (K,) each.

        Infinite where a structure is not known on that side.
        """
        numbers = np.arange(len(self.labels))[:, None]
        before = np.where(self.known & (numbers <= index), index - numbers, np.inf).min(axis=0)
        after = np.where(self.known & (numbers >= index), numbers - index, np.inf).min(axis=0)
        return before.astype(np.float32), after.astype(np.float32)


def annotations_along(
    drawn: Volume,
    axis: Axis,
    *,
    structures: Sequence[int] | None = None,
    complete: Iterable[int] | bool = (),
) -> Annotations:
    """The annotations in a label volume, seen along an axis.

    Args:
        drawn: label volume on the scan's grid with some slices drawn; what is named "ignore" in it says nothing.
        axis: the array axis to walk.
        structures: label ids to carry on; all that are drawn by default.
        complete: numbers of the slices (canonical order) on which everything present is drawn; True for every
            slice that has something drawn.

    Raises:
        InputError: nothing is drawn, a structure is not drawn anywhere, a complete slice is outside the scan.
    """
    labels = np.moveaxis(without_ignored(drawn).array, axis, 0)
    present = structures_in(labels)
    if not present:
        raise InputError("the annotations are empty: draw at least one structure on one slice")
    chosen = sorted(set(present if structures is None else structures))
    missing = [label for label in chosen if label not in present]
    if missing or not chosen:
        raise InputError(f"structures {missing or chosen} are not drawn anywhere; drawn are {present}")
    if complete is True:
        complete = np.flatnonzero(labels.any(axis=(1, 2))).tolist()
    numbers = frozenset(complete or ())
    outside = sorted(n for n in numbers if not 0 <= n < len(labels))
    if outside:
        raise InputError(f"fully annotated slices {outside} are outside the scan, which has {len(labels)} slices")
    return Annotations(labels=labels, structures=tuple(chosen), complete=numbers)


def drawn_axis(drawn: Volume) -> Axis:
    """The axis that the annotations were drawn along: the through-plane one, unless they clearly lie across it.

    They do where they fill separate (or single) slices along another axis, and at most a quarter as many of those as
    along the through-plane one.
    """
    usual = drawn.geometry.through_plane_axis
    filled = [np.flatnonzero(drawn.array.any(axis=tuple(a for a in Axis if a != axis))) for axis in Axis]
    for axis in sorted(Axis, key=lambda a: len(filled[a])):
        separate = len(filled[axis]) == 1 or bool((np.diff(filled[axis]) > 1).any())
        if axis != usual and separate and 4 * len(filled[axis]) <= len(filled[usual]):
            return axis
    return usual
