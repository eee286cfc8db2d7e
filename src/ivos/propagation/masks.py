"""The probabilities of all structures on a slice, each kept only where it is: many cost little more than few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ivos.propagation.patch import Patch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ivos.types import Array, FloatArray


@dataclass(frozen=True)
class Masks:
    """K structures on a slice.

    Attributes:
        shape: (H, W) of the slice.
        patches: for each structure where it is; None where it is not. At most 1 in sum at any pixel; the rest is
            background.
    """

    shape: tuple[int, int]
    patches: tuple[Patch | None, ...]

    @staticmethod
    def of(dense: FloatArray) -> Masks:
        """From probabilities (K, H, W)."""
        return Masks((dense.shape[1], dense.shape[2]), tuple(Patch.of(mask) for mask in dense))

    def dense(self) -> FloatArray:
        """Probabilities (K, H, W)."""
        masks = np.zeros((len(self.patches), *self.shape), np.float32)
        for mask, patch in zip(masks, self.patches, strict=True):
            if patch is not None:
                mask[patch.place] = patch.values
        return masks

    def total(self) -> FloatArray:
        """What all structures hold together, (H, W)."""
        held = np.zeros(self.shape, np.float32)
        for patch in self.patches:
            if patch is not None:
                held[patch.place] += patch.values
        return held

    def limited(self) -> Masks:
        """The same with no more than 1 in sum at any pixel."""
        excess = np.maximum(self.total(), 1.0)
        return self.scaled(np.asarray(1.0 / excess, np.float32))

    def scaled(self, factor: FloatArray) -> Masks:
        """Every structure times a factor (H, W)."""
        return Masks(self.shape, tuple(p and Patch(p.top, p.left, p.values * factor[p.place]) for p in self.patches))

    def only(self, chosen: Iterable[bool]) -> Masks:
        """The chosen structures; nothing of the others."""
        return Masks(self.shape, tuple(p if keep else None for p, keep in zip(self.patches, chosen, strict=True)))

    def replaced(self, chosen: Iterable[bool], by: Masks) -> Masks:
        """With the chosen structures as in other masks."""
        pairs = zip(chosen, by.patches, self.patches, strict=True)
        return Masks(self.shape, tuple(new if take else old for take, new, old in pairs))


def masks_of(labels: Array, structures: Sequence[int], values: FloatArray | None = None) -> Masks:
    """Structures where labels say they are; looked for once for all of them, and then each in its own place alone.

    Args:
        labels: label ids (H, W).
        structures: the K label ids, ascending.
        values: (H, W) what a structure is given where it is, above 0; 1 everywhere by default.
    """
    numbers = np.searchsorted(structures, labels)  # 0 for the first structure
    wanted = np.append(structures, -1)[numbers] == labels
    boxes = ndimage.find_objects(np.where(wanted, numbers + 1, 0), max_label=len(structures))
    patches: list[Patch | None] = []
    for structure, box in zip(structures, boxes, strict=True):
        if box is None:
            patches.append(None)
            continue
        there = labels[box] == structure
        held = there if values is None else np.where(there, values[box], np.float32(0))
        patches.append(Patch(box[0].start, box[1].start, np.ascontiguousarray(held, np.float32)))
    return Masks((labels.shape[0], labels.shape[1]), tuple(patches))
