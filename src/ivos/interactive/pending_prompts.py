"""The strokes that a person has drawn on a slice one after another, all about one structure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ivos.prompts.prompts import Strokes, click

if TYPE_CHECKING:
    from ivos.interactive.annotation_state import AnnotatedSlice
    from ivos.interactive.validation import Points
    from ivos.prompts.prompts import Box


@dataclass(frozen=True)
class PendingPrompts:
    """Strokes that later ones add to, as long as nothing else is done in between.

    Attributes:
        about: the slice and the structure.
        strokes: all so far.
        revision: of the session, once they had made their mask.
    """

    about: AnnotatedSlice
    strokes: Strokes
    revision: int

    def go_on(self, about: AnnotatedSlice, revision: int) -> bool:
        """Whether strokes that are drawn now belong to these."""
        return (about, revision) == (self.about, self.revision)


def clicked(shape: tuple[int, int], positive: Points, negative: Points) -> Strokes:
    """Clicks on a slice of that shape: points (row, column) inside a structure, and outside."""
    strokes = Strokes.none(shape)
    for points, inside in ((negative, False), (positive, True)):
        for row, column in points:
            strokes = strokes.with_stroke(click(shape, row, column), positive=inside)
    return strokes


def added(strokes: Strokes, more: Strokes) -> Strokes:
    """Strokes and later ones together: where they contradict each other the later ones count."""
    box: Box | None = strokes.box if more.box is None else more.box
    whole = strokes.with_stroke(more.negative & ~more.positive, positive=False).with_stroke(
        more.positive, positive=True
    )
    return replace(whole, box=box)
