"""Carries masks along dense optical flow: no training, no weights; the baseline for every learned engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivos.propagation.engines.protocol import EngineEntry
from ivos.propagation.optical_flow import Grey, carried, grey

if TYPE_CHECKING:
    from ivos.propagation.engines.protocol import Slice
    from ivos.propagation.masks import Masks
    from ivos.types import BoolArray


class FlowEngine:
    """Warps the previous slice's masks by the flow between the two slices' first channel (soft tissue)."""

    fuses = False

    def __init__(self) -> None:
        self._image: Grey | None = None
        self._masks: Masks | None = None

    def observe(self, image: Slice, masks: Masks, known: BoolArray) -> None:  # noqa: ARG002
        """Go on from this slice and these masks."""
        self._image, self._masks = grey(image.image), masks

    def predict(self, image: Slice, opposite: Masks | None) -> Masks:  # noqa: ARG002
        """The masks carried along the flow from the last slice to this one."""
        if self._image is None or self._masks is None:
            raise RuntimeError("predict before observe")
        current = grey(image.image)
        self._masks = carried(self._masks, current, self._image)
        self._image = current
        return self._masks

    def reset(self) -> None:
        """Forget the last slice."""
        self._image = self._masks = None


ENTRY = EngineEntry(lambda _: FlowEngine())
