"""What plug-ins were answered last: what differs from it, a person has drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from fastapi import Depends, Request

if TYPE_CHECKING:
    import numpy.typing as npt

    from ivos.types import BoolArray


class Given:
    """Masks by scan and structure, as bits. They are gone when the server ends; then less counts as drawn."""

    def __init__(self) -> None:
        self._masks: dict[tuple[str, int], tuple[tuple[int, ...], npt.NDArray[np.uint8]]] = {}

    def mask(self, scan: str, structure: int) -> BoolArray | None:
        """The mask (Z, Y, X) that was given last; None for none."""
        if (scan, structure) not in self._masks:
            return None
        shape, bits = self._masks[scan, structure]
        return np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape).astype(bool)

    def keep(self, scan: str, structure: int, mask: BoolArray) -> None:
        """A mask is given."""
        self._masks[scan, structure] = mask.shape, np.packbits(mask)


def _given(request: Request) -> Given:
    """One for each application."""
    state = request.app.state
    if not hasattr(state, "given"):
        state.given = Given()
    given: Given = state.given
    return given


WasGiven = Annotated[Given, Depends(_given)]
