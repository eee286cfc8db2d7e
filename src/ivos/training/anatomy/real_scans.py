"""Augmented parts of real scans: original, along another axis, with thicker slices, or at lower resolution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ivos.training.anatomy.pseudo_structures import pseudo_structures
from ivos.training.fast.scans import LabelledScan
from ivos.volume.windows import CT_WINDOWS_HU, windows_for

if TYPE_CHECKING:
    from ivos.phantom.fields import Field
    from ivos.types import Array
    from ivos.volume.geometry import Triple
    from ivos.volume.volume import Volume

_MOST_SLICES, _MOST_PIXELS = 56, 192
_WAYS = {"as it is": 0.4, "across": 0.2, "thick": 0.2, "coarse": 0.2}
_LEAST_SLICES_ACROSS = 12
_CT_HU = ((-160.0, 260.0), (-500.0, 900.0))  # where regions are looked for: soft tissue, or everything
_OUTER_PERCENTILES = (1.0, 99.0)


def part_of_scan(scan: Volume, labels: Volume | None, case: str, rng: np.random.Generator) -> LabelledScan:
    """Some part of a real scan with pseudo-structures, and what is annotated in it.

    Args:
        scan: the scan.
        labels: annotated structures on its grid; they replace the pseudo-structures where they are. None for none.
        case: the scan's name.
        rng: what is drawn.
    """
    array = np.asarray(scan.array, np.float32)
    annotated = None if labels is None else np.asarray(labels.array, np.uint8)
    array, annotated, spacing = _transform(array, annotated, scan.geometry.spacing_mm, rng)
    array, annotated = _crop(array, annotated, rng)
    found = pseudo_structures(_apply_window(array, scan, rng), spacing, rng)
    if annotated is not None:
        last = int(annotated.max())
        found = np.where(annotated > 0, annotated, np.where(found > 0, found + last, 0)).astype(np.uint8)
    return LabelledScan.of(array, found, windows_for(scan), spacing, case)


def _transform(
    array: Field, labels: npt.NDArray[np.uint8] | None, spacing: Triple, rng: np.random.Generator
) -> tuple[Field, npt.NDArray[np.uint8] | None, Triple]:
    """A scan (Z, Y, X) in one of the ways to see it."""
    way = str(rng.choice(list(_WAYS), p=list(_WAYS.values())))
    z, y, x = spacing
    if way == "across" and len(array) >= _LEAST_SLICES_ACROSS:
        axes = (1, 0, 2) if rng.random() < 0.5 else (2, 0, 1)
        factor = z / y
        fine = ndimage.zoom(array, (factor, 1, 1), order=1).transpose(axes)[:, ::-1]
        marked = None if labels is None else ndimage.zoom(labels, (factor, 1, 1), order=0).transpose(axes)[:, ::-1]
        return fine, marked, (y, y, y)
    if way == "thick" and len(array) >= 3 * _LEAST_SLICES_ACROSS:
        step = int(rng.integers(2, 4))
        whole = len(array) // step * step
        if rng.random() < 0.5:
            thick, shown = array[:whole].reshape(-1, step, *array.shape[1:]).mean(axis=1), slice(step // 2, whole, step)
        else:
            shown = slice(int(rng.integers(step)), None, step)
            thick = array[shown]
        return thick, None if labels is None else labels[shown], (z * step, y, x)
    if way == "coarse" and min(array.shape[1:]) >= 128:
        factor = float(rng.uniform(0.45, 0.75))
        smooth = ndimage.gaussian_filter(array, (0, 0.5 / factor, 0.5 / factor))
        coarse = ndimage.zoom(smooth, (1, factor, factor), order=1)
        marked = None if labels is None else ndimage.zoom(labels, (1, factor, factor), order=0)
        return coarse, marked, (z, y / factor, x / factor)
    return array, labels, spacing


def _crop(
    array: Field, labels: npt.NDArray[np.uint8] | None, rng: np.random.Generator
) -> tuple[Field, npt.NDArray[np.uint8] | None]:
    """A part that is small enough, about some voxel that is not air, or an annotated one."""
    annotated = labels is not None and labels.any()
    worth: Array = labels if annotated and labels is not None else array > np.percentile(array[::2, ::4, ::4], 60)
    places = np.flatnonzero(worth)
    centre = np.unravel_index(int(rng.choice(places)) if places.size else array.size // 2, array.shape)
    box = []
    for place, length, most in zip(centre, array.shape, (_MOST_SLICES, _MOST_PIXELS, _MOST_PIXELS), strict=True):
        first = int(np.clip(int(place) - rng.integers(most // 4, most - most // 4), 0, max(0, length - most)))
        box.append(slice(first, first + most))
    part = tuple(box)
    return np.ascontiguousarray(array[part]), None if labels is None else np.ascontiguousarray(labels[part])


def _apply_window(array: Field, scan: Volume, rng: np.random.Generator) -> Field:
    """Intensities in [0, 1] in which regions are looked for."""
    if windows_for(scan) == CT_WINDOWS_HU:
        low, high = _CT_HU[int(rng.random() < 0.3)]
    else:
        low, high = (float(v) for v in np.percentile(array[::2, ::2, ::2], _OUTER_PERCENTILES))
    return np.asarray(np.clip((array - low) / max(high - low, 1e-6), 0, 1), np.float32)
