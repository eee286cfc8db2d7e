"""What a correction changed on its slice, carried along to the others: it says where the new masks are to be believed.

References:
    Cheng, Tai, Tang: Modular Interactive Video Object Segmentation: Interaction-to-Mask, Propagation and
    Difference-Aware Fusion, CVPR 2021.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ivos.propagation.fusion import aligned
from ivos.propagation.masks import Masks
from ivos.propagation.optical_flow import Grey, carried, grey
from ivos.propagation.patch import Patch

if TYPE_CHECKING:
    from ivos.propagation.engines.protocol import Slice


@dataclass(frozen=True)
class Difference:
    """What a correction changed of K structures.

    Attributes:
        added: what it gave them.
        removed: what it took from them.
    """

    added: Masks
    removed: Masks

    @staticmethod
    def between(old: Masks, new: Masks) -> Difference:
        """From the masks before and after the correction."""
        return Difference(_excess(new, old), _excess(old, new))


class Carrier(Protocol):
    """Carries a difference from the corrected slice over the neighbours on one side, one after another."""

    def begin(self, image: Slice, difference: Difference) -> None:
        """Start from the corrected slice."""

    def carry(self, image: Slice) -> Difference:
        """The difference on the next slice."""


class FlowCarrier:
    """Carries along the dense optical flow from slice to slice: for any engine."""

    def begin(self, image: Slice, difference: Difference) -> None:
        """Start from the corrected slice."""
        self._image: Grey = grey(image.image)
        self._both = Masks(difference.added.shape, difference.added.patches + difference.removed.patches)

    def carry(self, image: Slice) -> Difference:
        """The difference where the flow brings it."""
        current = grey(image.image)
        self._both = carried(self._both, current, self._image)
        self._image = current
        half = len(self._both.patches) // 2
        added, removed = self._both.patches[:half], self._both.patches[half:]
        return Difference(Masks(self._both.shape, added), Masks(self._both.shape, removed))


def _excess(masks: Masks, over: Masks) -> Masks:
    """What masks hold more than others do of the same structures."""
    pairs = zip(masks.patches, over.patches, strict=True)
    return Masks(masks.shape, tuple(_excess_of_patch(*pair) for pair in pairs))


def _excess_of_patch(patch: Patch | None, over: Patch | None) -> Patch | None:
    corner, parts = aligned((patch, over))
    if corner is None:
        return None
    found = Patch.of(np.maximum(parts[0] - parts[1], 0))
    return found and Patch(corner[0] + found.top, corner[1] + found.left, found.values)
