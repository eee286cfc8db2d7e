"""Along which axis annotations are drawn, and what of them lies in planes across it.

A slice that is drawn on one axis is a line of one pixel's width in every slice of the others. Taken for drawings there,
such lines end the structures on all slices. So what lies across is found: patches of at most two voxels' thickness
whose neighbours in the direction of that thickness are empty, and that do not bend away into these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ivos.errors import InputError
from ivos.propagation.annotations import drawn_axis
from ivos.types import Axis
from ivos.volume.boxes import bounding_box
from ivos.volume.labels import without_ignored

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ivos.types import Array, BoolArray
    from ivos.volume.volume import Volume

_LEAST_LENGTH, _LEAST_VOXELS = 3, 16  # of a patch: along both of its own axes, and in all
_LEAST_SHARE = 0.4  # of what is filled in its plane: less is the edge of something solid
_BENT_SHARE = 0.5  # of a patch's rim that continues in the plane beside it
_COMMON_SHARE = 0.75  # of its slices on which a structure has more than what lies in the plane: then it was drawn there
_NAMED = 5


@dataclass(frozen=True)
class OneAxis:
    """Annotations of slices along one axis.

    Attributes:
        axis: the array axis.
        labels: what is drawn on its slices.
        dropped: how many voxels were drawn on planes of other axes, and are not among them.
        note: of what was dropped, in a line; empty where nothing was.
    """

    axis: Axis
    labels: Volume
    dropped: int = 0
    note: str = ""


def along_one_axis(
    drawn: Volume, axis: Axis | str | None = None, *, structures: Sequence[int] | None = None, what: str = "annotations"
) -> OneAxis:
    """The annotations that are drawn on slices of one axis.

    Args:
        drawn: label volume on the scan's grid with some slices drawn.
        axis: ``"axial"``, ``"coronal"`` or ``"sagittal"``: what is drawn on other planes is dropped. By default the one
            axis that everything is drawn along.
        structures: label ids to look at; all by default.
        what: how to name the annotations in an error, a path for example.

    Raises:
        InputError: drawn along several axes, and none is chosen; nothing is drawn along the chosen one.
    """
    filled = without_ignored(drawn).array > 0
    if structures is not None:
        filled &= np.isin(drawn.array, structures)
    box, usual = bounding_box(filled), drawn.geometry.through_plane_axis
    chosen = None if axis is None else Axis.parse(axis)
    if box is None:
        return OneAxis(usual if chosen is None else chosen, drawn)
    planes = _Planes(np.where(filled[box], drawn.array[box], 0), usual)
    words = _words(drawn, {a: [box[a].start + n for n in numbers] for a, numbers in planes.slices.items()})
    if not planes.across:
        flat = not planes.rest and chosen not in (None, usual, drawn_axis(drawn))
        if not flat:
            return OneAxis(drawn_axis(drawn) if chosen is None else chosen, drawn)
    if chosen is None and len(planes.slices) > 1:
        choices = " or ".join(a.plane for a in planes.slices)
        raise InputError(
            f"{what}: drawn in several planes: {words}; --axis {choices} takes what is drawn there and drops the rest"
        )
    along = next(iter(planes.slices)) if chosen is None else chosen
    if along not in planes.slices:
        raise InputError(f"{what}: nothing is drawn on {along} slices, only on {words}; choose another axis")
    if len(planes.slices) == 1:
        return OneAxis(along, drawn)
    kept = np.zeros(filled.shape, bool)
    kept[box] = planes.kept(along)
    dropped = int(np.count_nonzero(filled & ~kept))
    labels = drawn.with_array(np.where(kept, drawn.array, drawn.array.dtype.type(0)), drawn.names)
    note = f"{what}: drawn in several planes: {words}; {dropped} voxels that are not of {along} slices dropped"
    return OneAxis(along, labels, dropped, note)


class _Planes:
    """The planes of each axis that are drawn on.

    Args:
        labels: (Z, Y, X) what is drawn.
        usual: the axis of what is solid: annotated slices that lie beside each other, or the whole scan.

    Attributes:
        slices: numbers of the planes by axis, of the axes that have some.
        across: whether any of them lies across the usual axis.
        rest: whether anything is solid.
    """

    def __init__(self, labels: Array, usual: Axis) -> None:
        self._labels, self._filled = labels, labels > 0
        filled = self._filled
        self._long = [_in_long_runs(filled, axis) for axis in Axis]
        self._flat = {axis: self._flat_planes(axis) for axis in Axis}
        self._leave_parts_of_slices(usual)
        for axis in Axis:
            if axis != usual and self._flat[axis]:
                self._flat[axis] |= self._small_planes(axis)
        solid = filled & ~np.any([self._in_planes(axis, self._flat[axis]) for axis in Axis], axis=0)
        self.rest = bool(solid.any())
        self.across = any(self._flat[axis] for axis in Axis if axis != usual)
        others = tuple(axis for axis in Axis if axis != usual)
        found: dict[Axis, set[int]] = dict(self._flat)
        found[usual] = self._flat[usual] | set(np.flatnonzero(solid.any(axis=others)).tolist())
        self.slices = {axis: sorted(numbers) for axis, numbers in sorted(found.items()) if numbers}

    def kept(self, axis: Axis) -> BoolArray:
        """What is drawn on the planes of an axis, without the lines that planes of other axes leave there."""
        there = self._filled & self._in_planes(axis, self.slices[axis])
        lines = np.zeros(there.shape, bool)
        for other in Axis:
            if other != axis:
                lines |= there & self._in_planes(other, self._flat[other]) & ~self._long[other]
        square = np.ones([1 if a == axis else 3 for a in range(3)], bool)
        there &= ~lines | ndimage.binary_dilation(there & ~lines, square)  # the tip of a drawing is as thin as a line
        if not set(self.slices[axis]) - self._flat[axis]:  # each is a patch: with what crosses it, and nothing beyond
            reach = np.ones([1 if a == axis else 2 * _LEAST_LENGTH - 1 for a in range(3)], bool)
            margin = [(0, 0) if a == axis else (_LEAST_LENGTH, _LEAST_LENGTH) for a in range(3)]
            patch = np.pad(there & ~self._long[axis], margin)
            inner = tuple(slice(low, low + n) for (low, _), n in zip(margin, there.shape, strict=True))
            there &= (ndimage.binary_closing(patch, reach) | ndimage.binary_dilation(patch, square))[inner]
        return there

    def _flat_planes(self, axis: Axis) -> set[int]:
        """Planes with patches that lie in them and are no part of something solid or bent."""
        across = [self._long[other] for other in Axis if other != axis]
        patches = np.moveaxis(self._filled & ~self._long[axis] & across[0] & across[1], axis, 0)
        filled = np.moveaxis(self._filled, axis, 0)
        voxels, all_voxels = patches.sum(axis=(1, 2)), filled.sum(axis=(1, 2))
        likely = np.flatnonzero((voxels >= _LEAST_VOXELS) & (voxels >= _LEAST_SHARE * all_voxels))
        groups = [group for group in _runs(likely.tolist()) if len(group) < _LEAST_LENGTH]
        return {number for group in groups if not _bent(filled, patches, group) for number in group}

    def _leave_parts_of_slices(self, usual: Axis) -> None:
        """Take out planes of thin structures that were drawn, with the rest of them, on usual slices side by side."""
        others = tuple(axis for axis in Axis if axis != usual)
        across = np.any([self._in_planes(axis, self._flat[axis]) for axis in others], axis=0)
        for axis in others:
            for group in _runs(sorted(self._flat[axis])):
                there = self._filled & self._in_planes(axis, group)
                more = np.isin(self._labels, np.unique(self._labels[there])) & self._filled & ~across
                touched = there.any(axis=others)
                common = np.count_nonzero(touched & more.any(axis=others))
                if common > _COMMON_SHARE * np.count_nonzero(touched):
                    self._flat[axis] -= set(group)

    def _small_planes(self, axis: Axis) -> set[int]:
        """Planes beside them with little on them, all of it thin along the axis: where a structure ends."""
        others = tuple(other for other in Axis if other != axis)
        left = self._filled & ~np.any([self._in_planes(other, self._flat[other]) for other in others], axis=0)
        voxels, long = left.sum(axis=others), (left & self._long[axis]).sum(axis=others)
        return set(np.flatnonzero((voxels > 0) & (voxels < _LEAST_VOXELS) & (long == 0)).tolist())

    def _in_planes(self, axis: Axis, numbers: Iterable[int]) -> BoolArray:
        there = np.zeros(self._filled.shape[axis], bool)
        there[list(numbers)] = True
        return np.broadcast_to(np.expand_dims(there, [a for a in range(3) if a != axis]), self._filled.shape)


def _runs(numbers: Sequence[int]) -> list[list[int]]:
    """Ascending numbers, parted where one is left out."""
    parts = np.split(np.asarray(numbers, int), np.flatnonzero(np.diff(numbers) > 1) + 1)
    return [part.tolist() for part in parts if part.size]


def _in_long_runs(filled: BoolArray, axis: Axis) -> BoolArray:
    """The voxels of runs along an axis that are as long as patches are at least."""
    line = [1, 1, 1]
    line[axis] = _LEAST_LENGTH
    long: BoolArray = ndimage.binary_opening(filled, np.ones(line, bool))
    return long


def _bent(filled: BoolArray, patches: BoolArray, group: Sequence[int]) -> bool:
    """Whether the patches of planes beside each other continue around their rim in the next planes."""
    around = ndimage.binary_dilation(patches[group].any(axis=0), np.ones((3, 3), bool))
    rim = around & ~filled[group].any(axis=0)  # not where slices of other axes cross
    beside = [filled[n] for n in (group[0] - 1, group[-1] + 1) if 0 <= n < len(filled)]
    return any(np.count_nonzero(plane & rim) > _BENT_SHARE * np.count_nonzero(rim) for plane in beside)


def _words(drawn: Volume, slices: Mapping[Axis, Sequence[int]]) -> str:
    """Slices by axis, by their numbers in the file."""
    parts = []
    for axis, indices in slices.items():
        numbers = sorted(drawn.source_index(axis, index) for index in indices)
        more = f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else ""
        named = ", ".join(map(str, numbers[:_NAMED]))
        parts.append(f"{axis} slice{'s' * (len(numbers) > 1)} {named}{more}")
    return "; ".join(parts)
