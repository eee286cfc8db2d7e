"""Interpolates the shapes of the two nearest annotated slices, without looking at the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivos.propagation.engines.protocol import EngineEntry
from ivos.propagation.masks import Masks
from ivos.propagation.patch import Patch
from ivos.propagation.shape_interpolation import shapes_between

if TYPE_CHECKING:
    from ivos.propagation.engines.protocol import Slice
    from ivos.types import BoolArray


class ShapeEngine:
    """Between two annotated slices the outline of a structure changes evenly; beyond them there is nothing of it.

    It is what "fill between slices" of annotation tools does: the floor that an engine which sees the image has to rise
    above.

    References:
        Raya, Udupa: Shape-based interpolation of multidimensional objects, IEEE Transactions on Medical Imaging, 1990.
    """

    fuses = False

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the annotated slices."""
        self._annotated: dict[int, list[tuple[int, Patch | None]]] = {}  # by structure: number and mask
        self._between: dict[tuple[int, int, int], list[Patch | None]] = {}  # by structure and both ends

    def observe(self, image: Slice, masks: Masks, known: BoolArray) -> None:
        """Take an annotated slice."""
        self._shape, self._structures = masks.shape, len(masks.patches)
        for structure, (patch, annotated) in enumerate(zip(masks.patches, known, strict=True)):
            seen = self._annotated.setdefault(structure, [])
            if annotated and all(index != image.index for index, _ in seen):
                seen.append((image.index, patch))

    def predict(self, image: Slice, opposite: Masks | None) -> Masks:  # noqa: ARG002
        """The shapes on a slice between annotated ones."""
        patches = tuple(self._found(structure, image) for structure in range(self._structures))
        return Masks(self._shape, patches).limited()

    def _found(self, structure: int, image: Slice) -> Patch | None:
        seen = self._annotated[structure]
        before = max((item for item in seen if item[0] < image.index), default=None, key=lambda item: item[0])
        after = min((item for item in seen if item[0] > image.index), default=None, key=lambda item: item[0])
        if before is None or after is None:
            return None
        key = (structure, before[0], after[0])
        if key not in self._between:
            ends = [mask.dense(self._shape) > 0.5 if mask is not None else None for _, mask in (before, after)]
            self._between[key] = self._interpolated(ends, after[0] - before[0] - 1, image.spacing_mm)
        return self._between[key][image.index - before[0] - 1]

    @staticmethod
    def _interpolated(ends: list[BoolArray | None], count: int, spacing_mm: tuple[float, float]) -> list[Patch | None]:
        first, last = ends
        if first is None and last is None:
            return [None] * count
        shape = last if first is None else first
        assert shape is not None  # noqa: S101 - one of them is there
        empty = shape & False
        masks = shapes_between(empty if first is None else first, empty if last is None else last, count, spacing_mm)
        return [Patch.of(mask) for mask in masks]


ENTRY = EngineEntry(lambda _: ShapeEngine())
