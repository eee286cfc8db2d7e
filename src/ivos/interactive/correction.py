"""A corrected slice to be carried into what is there, rather than everything between the drawn slices done anew."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ivos.propagation.corrections.correct import correct, visits
from ivos.propagation.masks import masks_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ivos.interactive.span import PropagationSpan, StatedAnnotations
    from ivos.propagation.bidirectional import Propagated, SliceStack
    from ivos.propagation.corrections.correct import Merge
    from ivos.propagation.engines.protocol import Engine
    from ivos.propagation.masks import Masks
    from ivos.types import Array, Axis

_LEAST = 0.5  # of a voxel's own label: as sure as that it must have been, to be its label


@dataclass(frozen=True)
class Correction:
    """What is to be carried, and into what.

    Attributes:
        stretch: the slices on which the correction counts.
        index: number of the corrected slice in the scan.
        merge: old and new masks into one.
        guessed: (Z, Y, X) label ids as the last propagation left them, drawn slices too.
        confidence: (Z, Y, X) how sure they are, 0..255.
    """

    stretch: PropagationSpan
    index: int
    merge: Merge
    guessed: Array
    confidence: Array

    @property
    def axis(self) -> Axis:
        """The array axis to walk."""
        return self.stretch.axis

    @property
    def annotations(self) -> StatedAnnotations:
        """Of the slices that are walked."""
        return self.stretch.annotations

    @property
    def total(self) -> int:
        """How many slices :meth:`walked` visits."""
        return visits(self.annotations, self.index - self.stretch.start)

    def walked(self, stack: SliceStack, engine: Engine) -> Iterator[Propagated]:
        """The merged masks of every slice on the way, under the scan's own numbers.

        Args:
            stack: the whole scan along the axis.
            engine: carries masks.
        """
        start = self.stretch.start
        part = replace(stack, array=stack.array[start : start + len(self.annotations.labels)])
        answers = correct(part, self.annotations, self.index - start, self._before, engine, self.merge)
        for answer in answers:
            yield replace(answer, index=start + answer.index)

    def _before(self, number: int) -> Masks:
        """The structures on a slice of the part, as the last propagation left them."""
        guessed, confidence = (
            array.take(self.stretch.start + number, self.axis) for array in (self.guessed, self.confidence)
        )
        sure = np.maximum(confidence / np.float32(255), np.float32(_LEAST))
        return masks_of(guessed, self.annotations.structures, sure)
