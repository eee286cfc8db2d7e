"""What a label volume holds, and whether a volume is one."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from ivos.types import Array
    from ivos.volume.label_layers import LabelLayers

_FEW = 32  # values: no scan has so few
_LEAST_ALIKE = (0.3, 0.6, 0.6)  # share of neighbours along z, y, x with a label's own value, of those that are not 0
_LOOKED_AT = 32  # slices


class Extent(NamedTuple):
    """How much of a structure there is."""

    slices: int
    volume_ml: float


def looks_like_labels(array: Array) -> bool:
    """Whether voxels are label ids rather than intensities.

    Ids are whole numbers from 0 up, and few or, where they are many, such that most neighbours of a voxel have its
    value. Intensities differ from voxel to voxel.

    Args:
        array: voxels (Z, Y, X).
    """
    if array.min() < 0 or array.max() <= 0:
        return False
    if not np.issubdtype(array.dtype, np.integer) and not bool((array == np.rint(array)).all()):
        return False
    values = np.unique(array)
    return bool(np.count_nonzero(values) <= _FEW) or _piecewise_constant(array, values)


def extents(labels: LabelLayers) -> dict[int, Extent]:
    """Slices and volume of every structure, by ascending label id."""
    axis = labels.geometry.through_plane_axis
    slices: dict[int, int] = defaultdict(int)
    voxels: dict[int, int] = defaultdict(int)
    for layer in labels.layers:
        for plane in np.moveaxis(layer.array, axis, 0):
            for label, count in zip(*np.unique(plane, return_counts=True), strict=True):
                slices[int(label)] += 1
                voxels[int(label)] += int(count)
    voxel_ml = labels.geometry.voxel_volume_ml
    return {label: Extent(slices[label], voxels[label] * voxel_ml) for label in sorted(voxels) if label}


def _piecewise_constant(array: Array, values: Array) -> bool:
    """Whether half of the values have mostly voxels of the same value beside them, along every axis."""
    labelled = np.flatnonzero(array.any(axis=(1, 2)))
    chosen = labelled[np.linspace(0, len(labelled) - 1, min(_LOOKED_AT, len(labelled))).astype(int)]
    pairs: list[list[tuple[Array, Array]]] = [[], [], []]
    for index in chosen:
        plane = np.searchsorted(values, array[index])  # 0 stays 0 if it is among the values
        pairs[1].append((plane[:-1], plane[1:]))
        pairs[2].append((plane[:, :-1], plane[:, 1:]))
        if index + 1 < len(array):
            pairs[0].append((plane, np.searchsorted(values, array[index + 1])))
    background = int(values[0]) == 0
    shares = [_share_alike(of_axis, len(values), background=background) for of_axis in pairs]
    return all(share is None or share >= least for share, least in zip(shares, _LEAST_ALIKE, strict=True))


def _share_alike(pairs: list[tuple[Array, Array]], count: int, *, background: bool) -> float | None:
    """The median over the values of how many of their neighbours have the same value; None without neighbours."""
    alike, every = np.zeros(count, np.int64), np.zeros(count, np.int64)
    for one, other in pairs:
        counted = (one > 0) & (other > 0) if background else np.ones(one.shape, bool)
        first, second = one[counted], other[counted]
        every += np.bincount(first, minlength=count) + np.bincount(second, minlength=count)
        alike += 2 * np.bincount(first[first == second], minlength=count)
    there = every > 0
    return float(np.median(alike[there] / every[there])) if there.any() else None
