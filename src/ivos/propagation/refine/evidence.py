"""What the refinement network is shown of a structure.

The refinement and its training gather it with the same code, so that the network meets in use what it met in training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import distance_transform_edt

from ivos.propagation.refine.soft_labels import dense_part
from ivos.propagation.tracking import reference_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from ivos.propagation.annotations import Annotations
    from ivos.propagation.bidirectional import SliceStack
    from ivos.propagation.masks import Masks
    from ivos.propagation.refine.grid import Box
    from ivos.propagation.roi import Light
    from ivos.types import BoolArray, FloatArray

_DEPTH_CELLS = 12.0  # signed distances are shown up to this far
_FAR_SLICES = 12.0


@dataclass(frozen=True)
class Evidence:
    """One structure in its box: see :mod:`ivos.nets.refine`.

    Attributes:
        planes: (Z, P, rows, columns).
        numbers: (Z, N).
        scalars: (2,).
        asked: (Z,) the slices on which nothing is annotated of it.
    """

    planes: FloatArray
    numbers: FloatArray
    scalars: FloatArray
    asked: BoolArray


def gather(
    stack: SliceStack, annotations: Annotations, structure: int, box: Box, masks: dict[int, Masks]
) -> Evidence | None:
    """What is known of a structure.

    Args:
        stack: the scan.
        annotations: of it.
        structure: its place among the annotated ones, 0 to K - 1.
        box: where it is.
        masks: what the passes found on the slices of the box.

    Returns:
        None where no slice on which it is annotated shows it.
    """
    known = annotations.known[:, structure]
    label = annotations.structures[structure]
    annotated = {int(n): annotations.labels[n] == label for n in np.flatnonzero(known)}
    present = {index: mask for index, mask in annotated.items() if mask.any()}
    light = _light(stack, present, structure, annotations)
    if light is None:
        return None
    numbers = range(box.first, box.last)
    seen = np.stack([box.shrink(box.cut(stack.channel(index, light.channel))) for index in numbers])
    wide = np.stack([light.stretched(plane) for plane in seen])
    found = [masks[index] for index in numbers]
    own = np.stack([box.shrink(dense_part(m.patches[structure], box)) for m in found])
    total = np.stack([box.shrink(box.cut(m.total())) for m in found])
    depths = {index: _depth(box.shrink(box.cut(mask.astype(np.float32))) > 0.5) for index, mask in present.items()}
    planes = [
        wide,
        np.stack([light.close(plane) for plane in seen]),
        light.likelihood(wide),
        own,
        np.clip(total - own, 0, 1),
        _shape(depths, sorted(set(annotated) - set(present)), numbers, own[0].shape),
        np.broadcast_to(known[box.first : box.last, None, None].astype(np.float32), own.shape),
    ]
    cell_mm = box.cell * stack.spacing_mm[0]
    scalars = np.array([np.log(stack.slice_mm / cell_mm) / 2, np.log(box.cell)], np.float32)
    return Evidence(
        np.stack(planes, axis=1).astype(np.float32),
        _numbers(sorted(annotated), set(present), numbers),
        scalars,
        ~known[box.first : box.last],
    )


def _light(
    stack: SliceStack, present: dict[int, npt.NDArray[np.bool_]], structure: int, annotations: Annotations
) -> Light | None:
    """How the structure stands out where most of it is annotated."""
    if not present:
        return None
    index = max(present, key=lambda n: int(np.count_nonzero(present[n])))
    reference = reference_of(index, stack[index].image, annotations.masks(index).patches[structure])
    return None if reference is None else reference.light


def _shape(depths: dict[int, FloatArray], absent: list[int], numbers: range, shape: tuple[int, ...]) -> FloatArray:
    """Signed distances of the two nearest annotated slices, mixed by how near they are: (Z, rows, columns), 0..1.

    Towards a slice on which the structure is absent it shrinks to nothing; beyond the last annotated slice its mask
    stays as it is.
    """
    planes = np.empty((len(numbers), *shape), np.float32)
    known = sorted([*depths, *absent])
    for place, index in enumerate(numbers):
        before = max((n for n in known if n <= index), default=None)
        after = min((n for n in known if n >= index), default=None)
        ends = [n for n in (before, after) if n is not None]
        sides = [depths.get(n) for n in ends]
        there = [side for side in sides if side is not None]
        if not there:
            planes[place] = 0
            continue
        gone = there[0] - there[0].max() - 1
        first, last = (gone if side is None else side for side in (sides[0], sides[-1]))
        share = 0.0 if len(ends) < 2 or ends[0] == ends[1] else (index - ends[0]) / (ends[1] - ends[0])
        planes[place] = np.clip(0.5 + ((1 - share) * first + share * last) / (2 * _DEPTH_CELLS), 0, 1)
    return planes


def _depth(mask: BoolArray) -> FloatArray:
    """Cells to the outline, negative outside."""
    if not mask.any():
        return np.full(mask.shape, -2 * _DEPTH_CELLS, np.float32)
    inside = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    return np.asarray(inside - distance_transform_edt(~mask), np.float32)


def _numbers(annotated: list[int], present: set[int], numbers: range) -> FloatArray:
    """See :data:`ivos.nets.refine.NUMBERS`: (Z, N)."""
    rows = []
    for index in numbers:
        before = max((n for n in annotated if n <= index), default=None)
        after = min((n for n in annotated if n >= index), default=None)
        since = 2.0 if before is None else min((index - before) / _FAR_SLICES, 2.0)
        until = 2.0 if after is None else min((after - index) / _FAR_SLICES, 2.0)
        nearest = min(abs(n - index) for n in annotated)
        known = index in annotated
        rows.append(
            [
                float(known and index in present),
                float(known and index not in present),
                since,
                until,
                float(before is not None),
                float(after is not None),
                np.log1p(nearest) / 3,
            ]
        )
    return np.array(rows, np.float32)
