"""Copies the last annotated slice: the floor that every other engine has to rise above."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ivos.propagation.engines.protocol import BoolArray, FloatArray, Slice


class NearestEngine:
    """Every slice looks like the last annotated one. Fused by distance, the nearest annotation wins."""

    def __init__(self) -> None:
        self._masks: FloatArray | None = None

    def observe(self, image: Slice, masks: FloatArray, known: BoolArray) -> None:  # noqa: ARG002
        """Take the masks (K, H, W) to copy."""
        self._masks = masks

    def predict(self, image: Slice) -> FloatArray:  # noqa: ARG002
        """The masks as they were, with the background before them: (K + 1, H, W)."""
        if self._masks is None:
            raise RuntimeError("predict before observe")
        return with_background(self._masks)

    def reset(self) -> None:
        """Forget the masks."""
        self._masks = None


def with_background(masks: FloatArray) -> FloatArray:
    """Structure probabilities (K, H, W) with the background's put before them: (K + 1, H, W)."""
    background = np.clip(1.0 - masks.sum(axis=0, keepdims=True), 0.0, 1.0)
    everything: FloatArray = np.concatenate([background, masks])
    return everything
