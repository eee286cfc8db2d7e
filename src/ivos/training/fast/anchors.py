"""What flow alone makes of a drawn slice: beside it the network learns how far to trust flow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ivos.propagation.masks import Masks
from ivos.propagation.optical_flow import Flow, moved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivos.propagation.patch import Patch
    from ivos.types import BoolArray, FloatArray

_FLOW_STEPS = 4  # of a pixel; flows of examples are kept in eight bits

FlowBetween = Callable[[int, int], "FloatArray"]
"""Displacement (H, W, 2) from the slice of one number to where its points lay in that of another."""


@dataclass(frozen=True)
class Anchored:
    """A drawn slice carried by flow over the slices after it.

    Attributes:
        anchors: the structure on each slice.
        others: (T, H, W) what the other structures that are propagated with it hold.
        flows: (T, H, W, 2) quarters of a pixel, from each slice back to the one that was visited before it.
    """

    anchors: tuple[Patch | None, ...]
    others: BoolArray
    flows: npt.NDArray[np.int8]

    def backwards(self) -> Anchored:
        """The slices in the other order."""
        return Anchored(self.anchors[::-1], self.others[::-1], self.flows[::-1])

    def flow(self, position: int) -> Flow:
        """From a slice back to the one that was visited before it."""
        return Flow(self.flows[position] / np.float32(_FLOW_STEPS))


def anchored(mask: BoolArray, others: Sequence[BoolArray], numbers: Sequence[int], flow: FlowBetween) -> Anchored:
    """Carry a structure and others from the first of some slices over the rest.

    Args:
        mask: the structure, (N, H, W) of the scan.
        others: other structures, each of that shape.
        numbers: slices in walking order.
        flow: displacements between the scan's slices.
    """
    first = numbers[0]
    masks = Masks.of(np.stack([mask[first], *(other[first] for other in others)]).astype(np.float32))
    carried, flows = [masks], [np.zeros((*mask.shape[1:], 2), np.int8)]
    for previous, current in pairwise(numbers):
        field = flow(current, previous)
        masks = moved(masks, Flow(field))
        carried.append(masks)
        flows.append(np.clip(np.rint(field * _FLOW_STEPS), -127, 127).astype(np.int8))
    beside = [step.only([False] + [True] * len(others)).total() > 0.5 for step in carried]
    return Anchored(tuple(step.patches[0] for step in carried), np.stack(beside), np.stack(flows))
