"""All that changes in a session, and the one way in which it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ivos.errors import InputError
from ivos.interactive.annotation_state import AnnotationState
from ivos.interactive.history import FIGURES_ALONG, ArrayName, Patch, Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivos.types import LabelArray
    from ivos.volume.geometry import Shape

FIGURES = 6
"""Of a structure on a slice, that suggestions go by: see :mod:`ivos.interactive.suggestions`."""


def new_arrays(shape: Shape) -> dict[ArrayName, npt.NDArray[Any]]:
    """The arrays of a session on a scan of that shape (Z, Y, X) in which nothing has been done yet.

    Returns:
        Labels, confidence, and the labels that were predicted last, whatever was drawn since (Z, Y, X), as uint8; for
        each axis figures (N, 6, 256) of its N slices as float64.
    """
    arrays: dict[ArrayName, npt.NDArray[Any]] = {
        "labels": np.zeros(shape, np.uint8),
        "confidence": np.zeros(shape, np.uint8),
        "guessed": np.zeros(shape, np.uint8),
    }
    for name, length in zip(FIGURES_ALONG, shape, strict=True):
        arrays[name] = np.zeros((length, FIGURES, 256))
    return arrays


class State:
    """Arrays and facts, and when each slice changed last.

    Args:
        arrays: as :func:`new_arrays` makes them.
        facts: names, committed structures, drawn slices.

    Attributes:
        revision: a number that every change raises.
        revisions: for each axis the revision (N,) at which each of its slices changed last.
    """

    def __init__(self, arrays: Mapping[ArrayName, npt.NDArray[Any]], facts: AnnotationState | None = None) -> None:
        self.arrays, self.facts = arrays, facts or AnnotationState()
        self.revision = 1
        self.revisions = [np.ones(length, np.int64) for length in self.shape]

    @property
    def labels(self) -> LabelArray:
        """Label ids (Z, Y, X)."""
        return self.arrays["labels"]

    @property
    def shape(self) -> Shape:
        """Of the scan (Z, Y, X)."""
        z, y, x = self.arrays["labels"].shape
        return z, y, x

    def turn(self, step: Step) -> None:
        """Undo a step, or do it again.

        Raises:
            InputError: it is damaged; nothing was changed.
        """
        turned: list[Patch] = []
        try:
            for patch in step.patches:
                patch.turn(self.arrays[patch.array])
                turned.append(patch)
        except InputError:
            for patch in turned:
                patch.turn(self.arrays[patch.array])  # and back
            raise
        for patch in step.patches:
            self.changed(patch)
        self.change_facts(self.facts ^ step.facts)

    def changed(self, patch: Patch) -> None:
        """Note that a patch was made or turned."""
        self.revision += 1
        if patch.array in ("labels", "confidence"):
            for revisions, (first, last) in zip(self.revisions, patch.place, strict=True):
                revisions[first:last] = self.revision

    def change_facts(self, facts: AnnotationState) -> None:
        """Take other facts."""
        if facts != self.facts:
            self.revision += 1
            for axis, index, _ in facts.drawn ^ self.facts.drawn:
                self.revisions[axis][index] = self.revision
            self.facts = facts


class Change:
    """Changes a state, and writes down what it takes to undo that; another may do so at the same time.

    Args:
        state: to be changed.

    Attributes:
        ended_by: what has ended it, in words, where that was not its own end.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.ended_by: str | None = None
        self._patches: list[Patch] = []
        self._facts = AnnotationState()  # the difference that it has made

    def write(self, name: ArrayName, place: tuple[slice, ...], new: npt.NDArray[Any]) -> None:
        """Put new values in a place of an array.

        Args:
            name: of the array.
            place: one slice for each axis, with both ends.
            new: values of the place's shape.
        """
        patch = Patch.made_by(name, self.state.arrays[name], place, new)
        if patch is not None:
            self._patches.append(patch)
            self.state.changed(patch)

    def facts(self, facts: AnnotationState) -> None:
        """Take other facts."""
        self._facts ^= self.state.facts ^ facts
        self.state.change_facts(facts)

    @property
    def step(self) -> Step:
        """All that was changed so far."""
        return Step(tuple(self._patches), self._facts)
