"""What flow alone makes of a drawn slice: beside it the network learns how far to trust flow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ivos.propagation.flow import moved
from ivos.propagation.masks import Masks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivos.propagation.engines.protocol import BoolArray, FloatArray
    from ivos.propagation.patch import Patch

Flow = Callable[[int, int], "FloatArray"]
"""Displacement (H, W, 2) from the slice of one number to where its points lay in that of another."""


@dataclass(frozen=True)
class Anchored:
    """A drawn slice carried by flow over the slices after it.

    Attributes:
        anchors: the structure on each slice.
        others: (T, H, W) what the other structures that are propagated with it hold.
    """

    anchors: tuple[Patch | None, ...]
    others: BoolArray

    def backwards(self) -> Anchored:
        """The slices in the other order."""
        return Anchored(self.anchors[::-1], self.others[::-1])


def anchored(mask: BoolArray, others: Sequence[BoolArray], numbers: Sequence[int], flow: Flow) -> Anchored:
    """Carry a structure and others from the first of some slices over the rest.

    Args:
        mask: the structure, (N, H, W) of the scan.
        others: other structures, each of that shape.
        numbers: slices in walking order.
        flow: displacements between the scan's slices.
    """
    first = numbers[0]
    masks = Masks.of(np.stack([mask[first], *(other[first] for other in others)]).astype(np.float32))
    carried = [masks]
    for previous, current in pairwise(numbers):
        masks = moved(masks, flow(current, previous))
        carried.append(masks)
    beside = [step.only([False] + [True] * len(others)).total() > 0.5 for step in carried]
    return Anchored(tuple(step.patches[0] for step in carried), np.stack(beside))
