"""A part of a scan to propagate through: from the annotated slices before what is asked for to those after it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ivos.errors import InputError
from ivos.interactive.annotation_state import AnnotatedSlice, AnnotationState
from ivos.propagation.annotations import Annotations
from ivos.propagation.bidirectional import steps, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ivos.propagation.bidirectional import Propagated, SliceStack
    from ivos.propagation.engines.protocol import Engine
    from ivos.types import Axis, BoolArray, LabelArray


@dataclass(frozen=True)
class StatedAnnotations(Annotations):
    """Annotations that say of each slice of which structures they speak: some may be drawn as absent there.

    Attributes:
        stated: the slices, and the label ids that are drawn on them, present or not.
    """

    stated: frozenset[tuple[int, int]] = frozenset()

    @cached_property
    def known(self) -> BoolArray:
        """(N, K) whether slice n speaks of structure k."""
        known = np.zeros((len(self.labels), len(self.structures)), bool)
        for index, structure in self.stated:
            known[index, self.structures.index(structure)] = True
        return known


def stated_annotations(
    facts: AnnotationState, labels: LabelArray, axis: Axis, structures: Sequence[int], numbers: range
) -> StatedAnnotations:
    """What is drawn of some structures on the slices of a part of a scan, numbered from 0.

    Args:
        facts: where they are drawn.
        labels: (Z, Y, X) of the whole scan.
        axis: along which slices are numbered.
        structures: label ids.
        numbers: of the part's slices.
    """
    planes = np.moveaxis(labels, axis, 0)
    stated = {(n - numbers.start, k) for k in structures for n in facts.slices(k, axis) if n in numbers}
    drawn = np.zeros((len(numbers), *planes.shape[1:]), np.uint8)  # only the pages of drawn slices take memory
    for index, structure in stated:
        drawn[index][planes[index + numbers.start] == structure] = structure
    return StatedAnnotations(drawn, tuple(sorted(structures)), stated=frozenset(stated))


@dataclass(frozen=True)
class PropagationSpan:
    """What is to be propagated.

    Attributes:
        axis: the array axis to walk.
        start: number of the first slice that is walked; the annotations' slice 0.
        first: of the first slice that is to be written.
        last: of the last one.
        annotations: of the slices that are walked.
    """

    axis: Axis
    start: int
    first: int
    last: int
    annotations: StatedAnnotations

    @property
    def total(self) -> int:
        """How many slices :meth:`walked` visits."""
        return steps(self.annotations) - min(self.first - self.start, self.annotations.slices[-1] + 1)

    def walked(self, stack: SliceStack, engine: Engine) -> Iterator[Propagated | None]:
        """The answers of :func:`~ivos.propagation.bidirectional.walk`, with the scan's own slice numbers.

        Args:
            stack: the whole scan along the axis.
            engine: carries masks.

        Yields:
            One item a visited slice: None for one that awaits the other pass, or lies outside what is to be written.
        """
        stop = self.start + len(self.annotations.labels)
        part = replace(stack, array=stack.array[self.start : stop])
        passes = walk(part, self.annotations, engine)
        for _, finished in zip(range(self.total), passes, strict=False):  # what is below the first slice is not needed
            number = self.start + finished.index if finished is not None else -1
            inside = finished is not None and self.first <= number <= self.last
            yield replace(finished, index=number) if finished is not None and inside else None


def span_for_range(
    facts: AnnotationState, labels: LabelArray, axis: Axis, first: int, last: int, structures: Sequence[int] | None
) -> PropagationSpan:
    """What to walk in order to propagate structures over some slices.

    Each structure is carried from the last slice before them on which it is drawn, and from the next after them.

    Args:
        facts: names, committed structures, drawn slices.
        labels: (Z, Y, X).
        axis: the array axis to walk.
        first: number of the first slice to write.
        last: of the last one.
        structures: label ids; all that are drawn along the axis and not committed by default.

    Raises:
        InputError: a structure is not drawn along the axis, or committed; nothing is drawn; first after last.
    """
    if first > last:
        raise InputError(f"propagating from slice {first} to slice {last}: the first one comes after the last")
    chosen = _carried(facts, axis, structures)
    drawn = [facts.slices(structure, axis) for structure in chosen]
    before = [max((n for n in numbers if n <= first), default=first) for numbers in drawn]
    after = [min((n for n in numbers if n >= last), default=last) for numbers in drawn]
    numbers = range(min(before), max(after) + 1)
    return PropagationSpan(axis, numbers.start, first, last, stated_annotations(facts, labels, axis, chosen, numbers))


def span_around_slice(
    facts: AnnotationState, labels: LabelArray, axis: Axis, index: int, structures: Sequence[int] | None
) -> PropagationSpan:
    """What to walk in order to carry a drawn slice both ways, up to the next drawn ones.

    Args:
        facts: names, committed structures, drawn slices.
        labels: (Z, Y, X).
        axis: the array axis to walk.
        index: number of the slice.
        structures: label ids; all that are drawn on it and not committed by default.

    Raises:
        InputError: a structure is not drawn on the slice, or committed; nothing is drawn on it.
    """
    here = [k for k in facts.by_id if AnnotatedSlice(axis, index, k) in facts.drawn]
    chosen = [k for k in here if k not in facts.committed] if structures is None else list(structures)
    missing = [k for k in chosen if k not in here]
    if missing or not chosen:
        what = f"structures {missing} are not" if missing else "nothing that is not committed is"
        raise InputError(f"{what} drawn on {axis} slice {index}: draw what is to be carried from it")
    drawn = [facts.slices(structure, axis) for structure in chosen]
    before = [max((n for n in numbers if n < index), default=0) for numbers in drawn]
    after = [min((n for n in numbers if n > index), default=labels.shape[axis] - 1) for numbers in drawn]
    return span_for_range(facts, labels, axis, min(before), max(after), chosen)


def _carried(facts: AnnotationState, axis: Axis, structures: Sequence[int] | None) -> list[int]:
    """The structures to carry, ascending."""
    able = [k for k in facts.by_id if facts.slices(k, axis) and k not in facts.committed]
    chosen = able if structures is None else sorted(set(structures))
    fixed = [k for k in chosen if k in facts.committed]
    if fixed:
        raise InputError(f"structures {fixed} are committed: release them before they are propagated")
    missing = [k for k in chosen if k not in able]
    if missing or not chosen:
        what = f"structures {missing} are" if missing else "nothing is"
        raise InputError(f"{what} drawn on any {axis} slice: draw at least one")
    return chosen
