"""A label volume in, propagation, a label volume out: what plug-ins call a model of scribbles.

The volume holds all segments that there are in the plug-in, propagated ones too, and layers of scribbles above them.
What a person has drawn since the last answer is what differs from that answer, slice by slice: it is drawn in the
session, and carried over the scan with what was drawn before. Other slices may have changed on the page meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ivos.annotate.messages import Propagate
from ivos.annotate.monailabel.drawing import draw, scribble
from ivos.annotate.monailabel.vocabulary import with_ids
from ivos.errors import InputError
from ivos.types import Axis

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ivos.annotate.monailabel.given import Given
    from ivos.annotate.monailabel.messages import Parameters
    from ivos.annotate.session.jobs import Running
    from ivos.annotate.session.scan_session import ScanSession
    from ivos.types import Array, AxisName, BoolArray

INSIDE, OUTSIDE = "foreground_scribbles", "background_scribbles"
"""The plug-ins' names of the layers of scribbles."""


@dataclass(frozen=True)
class Drawn:
    """What a label volume says of one structure.

    Attributes:
        mask: (Z, Y, X) where it is.
        inside: scribbles in it.
        outside: scribbles outside of it.
        hidden: where something else lies above it, so that nothing is said of it.
    """

    mask: BoolArray
    inside: BoolArray
    outside: BoolArray
    hidden: BoolArray

    @staticmethod
    def of(labels: Array, numbers: Mapping[str, int], name: str) -> Drawn:
        """From labels (Z, Y, X) and the numbers of its segments, the one of a name."""

        def where(segment: str) -> BoolArray:
            there: BoolArray = labels == numbers[segment] if segment in numbers else np.zeros(labels.shape, bool)
            return there

        mask = where(name)
        return Drawn(mask, where(INSIDE), where(OUTSIDE), (labels != 0) & ~mask)

    def slices(self, axis: AxisName) -> Iterator[tuple[int, Drawn]]:
        """Its slices along an axis, with their numbers."""
        planes = (np.moveaxis(v, Axis.parse(axis), 0) for v in (self.mask, self.inside, self.outside, self.hidden))
        for index, (mask, inside, outside, hidden) in enumerate(zip(*planes, strict=True)):
            yield index, Drawn(mask, inside, outside, hidden)


def name_of_structure(asked: Parameters, numbers: Mapping[str, int]) -> str:
    """The segment that a request is about.

    Raises:
        InputError: it does not say which.
    """
    if asked.selected_label_name is not None:
        return asked.selected_label_name
    segments = [name for name in numbers if name not in (INSIDE, OUTSIDE)]
    if len(segments) != 1:
        raise InputError(f"selected_label_name: say which of {len(segments)} segments is to be propagated")
    return segments[0]


def carry(
    opened: ScanSession, drawn: Drawn, name: str, axis: AxisName, usual: Mapping[str, int], given: Given, who: str
) -> tuple[int, Running | None]:
    """Draw what is new, and begin to propagate.

    Args:
        opened: the scan.
        drawn: of the structure.
        name: of the structure.
        axis: along which it is drawn and propagated.
        usual: ids of structures; see :func:`~ivos.annotate.monailabel.vocabulary.with_ids`.
        given: what was answered before.
        who: has drawn it.

    Returns:
        Its id, and what runs.

    Raises:
        InputError: nothing of it is drawn, or it is locked.
    """
    structure = with_ids(opened, [name], usual, who)[name]
    before, last = opened.named_labels().array == structure, given.mask(opened.id, structure)
    here, there = (np.moveaxis(v, Axis.parse(axis), 0) for v in (before, before if last is None else last))
    for index, plane in drawn.slices(axis):
        mask = here[index]
        new = ((plane.mask != there[index]) & ~plane.hidden).any()
        if new and (last is not None or plane.mask.any()):  # a plug-in that was given nothing cannot take it away
            mask = np.where(plane.hidden, here[index], plane.mask)
            draw(opened, structure, axis, index, mask, who)
        if (plane.inside & ~mask).any() or (plane.outside & mask).any():  # plug-ins send old scribbles again
            scribble(opened, structure, axis, index, plane.inside, plane.outside, who)
    opened.propagate(Propagate(structures=[structure], axis=axis), who)
    return structure, opened.job
