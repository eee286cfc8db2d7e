"""Which drawn slices mend what propagation had put there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ivos.annotate.storage.rows import JournalEvent


class Correction(NamedTuple):
    """A structure drawn anew on a slice."""

    axis: str
    number: int
    structure: int


_CORRECTION: TypeAdapter[Correction] = TypeAdapter(Correction)


class Corrections:
    """Follows the history: what is undone is no correction any more.

    Args:
        turns: of the session so far.
    """

    def __init__(self, turns: Iterable[JournalEvent] = ()) -> None:
        self._done: list[Correction | None] = []
        self._undone: list[Correction | None] = []
        for turn in turns:
            match turn.kind:
                case "step":
                    self.step(turn.what)
                case "undo":
                    self.undo()
                case "redo":
                    self.redo()

    def step(self, what: str) -> None:
        """Something was done."""
        self._done.append(_correction(what))
        self._undone.clear()

    def undo(self) -> None:
        """The last step was taken back."""
        if self._done:
            self._undone.append(self._done.pop())

    def redo(self) -> None:
        """And done again."""
        if self._undone:
            self._done.append(self._undone.pop())

    @property
    def there(self) -> set[Correction]:
        """All of them."""
        return {correction for correction in self._done if correction is not None}


def _correction(what: str) -> Correction | None:
    try:
        content: Any = json.loads(what)
        return _CORRECTION.validate_python(content["corrects"])
    except (ValueError, KeyError, TypeError, ValidationError):
        return None
