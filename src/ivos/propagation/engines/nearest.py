"""Copies the last annotated slice: the floor that every other engine has to rise above."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivos.propagation.engines.protocol import EngineEntry

if TYPE_CHECKING:
    from ivos.propagation.engines.protocol import Slice
    from ivos.propagation.masks import Masks
    from ivos.types import BoolArray


class NearestEngine:
    """Every slice looks like the last annotated one. Fused by distance, the nearest annotation wins."""

    fuses = False

    def __init__(self) -> None:
        self._masks: Masks | None = None

    def observe(self, image: Slice, masks: Masks, known: BoolArray) -> None:  # noqa: ARG002
        """Take the masks to copy."""
        self._masks = masks

    def predict(self, image: Slice, opposite: Masks | None) -> Masks:  # noqa: ARG002
        """The masks as they were."""
        if self._masks is None:
            raise RuntimeError("predict before observe")
        return self._masks

    def reset(self) -> None:
        """Forget the masks."""
        self._masks = None


ENTRY = EngineEntry(lambda _: NearestEngine())
