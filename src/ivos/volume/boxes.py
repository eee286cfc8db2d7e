"""The box around what an array holds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def bounding_box(filled: npt.NDArray[np.bool_], *, margin: int = 0) -> tuple[slice, ...] | None:
    """One slice per axis around the True elements, ``margin`` wider on each side; None where there are none."""
    spans = []
    for axis, length in enumerate(filled.shape):
        others = tuple(a for a in range(filled.ndim) if a != axis)
        inside = np.flatnonzero(np.any(filled, axis=others))
        if not inside.size:
            return None
        spans.append(slice(max(0, int(inside[0]) - margin), min(length, int(inside[-1]) + 1 + margin)))
    return tuple(spans)
