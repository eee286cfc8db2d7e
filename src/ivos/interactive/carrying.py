"""Propagation as a session does it: slice by slice, as long as its caller goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ivos.interactive.editing import write_finished

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ivos.interactive.correction import Correction
    from ivos.interactive.journal import Journal
    from ivos.interactive.state import Change
    from ivos.interactive.stretch import Stretch
    from ivos.propagation.engines.protocol import Engine
    from ivos.propagation.walk import SliceStack


@dataclass(frozen=True)
class Visited:
    """A slice that a propagation has come by.

    Attributes:
        done: slices visited so far.
        total: slices to visit; between drawn ones each is visited twice, from either side.
        finished: number of the slice if it has its labels now, None where that is still to come.
    """

    done: int
    total: int
    finished: int | None


def carried(
    journal: Journal, change: Change, stretch: Stretch | Correction, stack: SliceStack, engine: Engine
) -> Iterator[Visited]:
    """Walk a stretch and write what is finished into an open step, until it is over or another step begins.

    Args:
        journal: of the session.
        change: the open step.
        stretch: what to walk, and how.
        stack: the whole scan along its axis.
        engine: carries masks.

    Yields:
        One item a visited slice.
    """
    if not journal.is_open(change):
        return
    try:
        for done, finished in enumerate(stretch.walked(stack, engine), start=1):
            if finished is not None:
                write_finished(change, stretch.axis, finished, stretch.annotations.structures)
            yield Visited(done, stretch.total, None if finished is None else finished.index)
            if not journal.is_open(change):
                return
    finally:
        if journal.is_open(change):
            journal.end()
