"""What is known of each structure on each slice: what a person's page shows beside the scan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from ivos.interactive.state import State
    from ivos.types import Axis, BoolArray

SliceState = Literal["drawn", "propagated", "empty"]
"""Of a structure on a slice: a person has said where it is there, or that it is absent; it is there by propagation or
from labels that were loaded; neither."""


class Timeline:
    """Looks again only at slices that have changed since it was last asked.

    Args:
        state: of the session.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._seen: dict[int, tuple[int, BoolArray]] = {}  # by axis: at which revision, and what is there (N, 256)

    def along(self, axis: Axis) -> dict[int, tuple[SliceState, ...]]:
        """By label id what is known on each of the N slices along an array axis."""
        facts, there = self._state.facts, self._there(axis)
        states: dict[int, tuple[SliceState, ...]] = {}
        for structure in facts.by_id:
            by_hand = set(facts.slices(structure, axis))
            states[structure] = tuple(
                "drawn" if number in by_hand else "propagated" if shown else "empty"
                for number, shown in enumerate(there[:, structure])
            )
        return states

    def _there(self, axis: Axis) -> BoolArray:
        planes = np.moveaxis(self._state.labels, axis, 0)
        revision, there = self._seen.get(axis, (0, np.zeros((len(planes), 256), bool)))
        for index in np.flatnonzero(self._state.revisions[axis] > revision):
            there[index] = np.bincount(planes[index].reshape(-1), minlength=256) > 0
        self._seen[axis] = self._state.revision, there
        return there
