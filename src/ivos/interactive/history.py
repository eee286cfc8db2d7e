"""What was done, so that it can be undone and done again: only what changed, packed, within a number of bytes."""

from __future__ import annotations

import zlib
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ivos.errors import InputError
from ivos.interactive.annotation_state import AnnotationState
from ivos.volume.boxes import bounding_box

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ArrayName = Literal["labels", "confidence", "guessed", "axial", "coronal", "sagittal"]
"""Arrays that change: voxels, and what propagation along each axis has left to suggest slices by."""

FIGURES_ALONG: tuple[ArrayName, ArrayName, ArrayName] = ("axial", "coronal", "sagittal")
"""The names of the latter by array axis."""

_OVERHEAD_BYTES = 200  # of an entry, beside what it holds


@dataclass(frozen=True)
class Patch:
    """How a box of an array was before and after a change: both from either.

    Attributes:
        array: which.
        place: first and last (excluded) element of the box along each axis.
        data: the bits that differ, deflated.
    """

    array: ArrayName
    place: tuple[tuple[int, int], ...]
    data: bytes

    @staticmethod
    def made_by(
        name: ArrayName, array: npt.NDArray[Any], place: tuple[slice, ...], new: npt.NDArray[Any]
    ) -> Patch | None:
        """Write new values into a part of an array, and tell what that changed; None if nothing.

        Args:
            name: of the array.
            array: to be written to.
            place: one slice for each axis, with both ends.
            new: the values, of the part's shape.
        """
        box = bounding_box(array[place] != new)
        if box is None:
            return None
        whole = tuple(
            slice(outer.start + inner.start, outer.start + inner.stop) for outer, inner in zip(place, box, strict=True)
        )
        before, after = (np.ascontiguousarray(part, array.dtype) for part in (array[whole], new[box]))
        differs = before.view(np.uint8) ^ after.view(np.uint8)
        array[whole] = after
        return Patch(name, tuple((s.start, s.stop) for s in whole), zlib.compress(differs.tobytes(), level=1))

    @property
    def box(self) -> tuple[slice, ...]:
        """The place as an index."""
        return tuple(slice(first, last) for first, last in self.place)

    def turn(self, array: npt.NDArray[Any]) -> None:
        """Bring the box from before to after, or from after to before.

        Raises:
            InputError: the patch is damaged; the array is as it was.
        """
        part = array[self.box].copy()
        unpacking = zlib.decompressobj()
        try:
            differs = unpacking.decompress(self.data, part.nbytes + 1)
        except zlib.error as error:
            raise _damaged() from error
        if len(differs) != part.nbytes or not unpacking.eof:
            raise _damaged()
        bits = part.view(np.uint8).reshape(-1)
        bits ^= np.frombuffer(differs, np.uint8)
        array[self.box] = part


def _damaged() -> InputError:
    return InputError("this step of the history is damaged and cannot be undone or done again; nothing was changed")


@dataclass(frozen=True)
class Step:
    """One thing that a person did.

    Attributes:
        patches: what it changed in arrays.
        facts: what it changed beside, as a difference.
    """

    patches: tuple[Patch, ...]
    facts: AnnotationState

    @property
    def empty(self) -> bool:
        """Whether it changed nothing."""
        return not self.patches and self.facts == AnnotationState()

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, about."""
        entries = len(self.facts.structures) + len(self.facts.committed) + len(self.facts.drawn) + len(self.patches)
        return sum(len(patch.data) for patch in self.patches) + _OVERHEAD_BYTES * (1 + entries)


class History:
    """Steps that can be undone, and undone ones that can be done again.

    Args:
        budget_bytes: what all of them may take; the oldest go first. A step that is larger by itself cannot be undone.
        done: the oldest first.
        undone: the last one first to be done again.
    """

    def __init__(self, budget_bytes: int, done: Iterable[Step] = (), undone: Iterable[Step] = ()) -> None:
        self.budget_bytes = budget_bytes
        self.done, self.undone = deque(done), list(undone)
        self.used_bytes = sum(step.size_bytes for step in (*self.done, *self.undone))
        self._keep_to_budget()

    def push(self, step: Step) -> None:
        """Remember what was just done; what was undone before cannot be done again then."""
        if step.empty:
            return
        self.used_bytes += step.size_bytes - sum(old.size_bytes for old in self.undone)
        self.undone.clear()
        self.done.append(step)
        self._keep_to_budget()

    def undo(self, turn: Callable[[Step], None]) -> None:
        """Take the last step back.

        Args:
            turn: does it.

        Raises:
            InputError: there is none.
        """
        if not self.done:
            raise InputError("there is nothing to undo")
        turn(self.done[-1])
        self.undone.append(self.done.pop())

    def redo(self, turn: Callable[[Step], None]) -> None:
        """Do the last undone step again.

        Args:
            turn: does it.

        Raises:
            InputError: there is none.
        """
        if not self.undone:
            raise InputError("there is nothing to do again")
        turn(self.undone[-1])
        self.done.append(self.undone.pop())

    def _keep_to_budget(self) -> None:
        while self.used_bytes > self.budget_bytes and self.done:
            self.used_bytes -= self.done.popleft().size_bytes
        while self.used_bytes > self.budget_bytes and self.undone:
            self.used_bytes -= self.undone.pop(0).size_bytes  # the farthest from the present state
