"""Cycle consistency: what comes back to the drawn slices from far away.

References:
    Wang, Jabri, Efros: Learning Correspondence from the Cycle-Consistency of Time, CVPR 2019.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ivos.propagation.annotations import Annotations
from ivos.propagation.bidirectional import SliceStack, walk
from ivos.propagation.masks import Masks

if TYPE_CHECKING:
    from ivos.propagation.engines.protocol import Engine
    from ivos.types import Array
    from ivos.uncertainty.features import QualityFeatures

_FAR = 0.5  # of its area on the drawn slice: a structure's tip says little of the whole


def add_cycle(
    evidence: QualityFeatures, stack: SliceStack, annotations: Annotations, labels: Array, engine: Engine
) -> None:
    """Carry a result back to the drawn slices, and compare with what is drawn there: evidence named ``cycle``.

    From each drawn slice a structure is followed, up and down, to the farthest slice before the next drawn one on which
    the result still shows half of it; from those slices alone it is carried back. Takes as long as a propagation.

    Args:
        evidence: takes it.
        stack: the scan.
        annotations: the drawn slices.
        labels: (N, H, W) the propagated label ids.
        engine: that propagated them.
    """
    far = np.zeros_like(labels)
    for structure in annotations.structures:
        mask = labels == structure
        for number in _far_slices(mask.sum(axis=(1, 2)), annotations, structure):
            far[number][mask[number] & (far[number] == 0)] = structure
    there = tuple(int(k) for k in np.unique(far) if k)
    if not there:
        return
    places = {structure: k for k, structure in enumerate(there)}
    for returned in walk(stack, Annotations(far, there), engine):
        if returned is None or returned.index not in annotations.slices:
            continue
        known = annotations.known[returned.index]
        patches = (
            returned.masks.patches[places[structure]] if structure in places else None
            for structure in annotations.structures
        )
        masks = Masks(returned.masks.shape, tuple(patches)).only(known)
        evidence.compare("cycle", returned.index, masks, annotations.masks(returned.index).only(known))


def _far_slices(areas: Array, annotations: Annotations, structure: int) -> set[int]:
    """The slices from which a structure is carried back."""
    k = annotations.structures.index(structure)
    drawn = [n for n in annotations.slices if annotations.known[n, k]]
    shown = [n for n in drawn if areas[n]]
    far: set[int] = set()
    for number in shown:
        for step in (-1, 1):
            at = number
            while 0 <= at + step < len(areas) and at + step not in drawn and areas[at + step] >= _FAR * areas[number]:
                at += step
            if at != number:
                far.add(at)
    return far
