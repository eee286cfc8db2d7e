"""Steps of a session's history as rows of the store, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ivos.errors import InputError
from ivos.interactive.annotation_state import AnnotationState
from ivos.interactive.history import Patch, Step
from ivos.interactive.session_json import FactsJson, PatchJson

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ivos.annotate.storage.store import Entry


_TurnKind = Literal["step", "undo", "redo"]
_BESIDE: dict[str, _TurnKind] = {"beside": "step", "beside undo": "undo", "beside redo": "redo"}


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    patches: list[PatchJson]
    facts: FactsJson | None


def packed(patches: Sequence[Patch], facts: AnnotationState | None = None) -> tuple[str, bytes]:
    """The JSON and the data of a row that holds a step, or a part of one."""
    described = [
        PatchJson(array=patch.array, place=_three(patch.place), size_bytes=len(patch.data)) for patch in patches
    ]
    row = _Row(patches=described, facts=None if facts is None else FactsJson.of(facts))
    return row.model_dump_json(), b"".join(patch.data for patch in patches)


@dataclass(frozen=True)
class JournalEvent:
    """What a journal says of the way of a session, once its rows are put together.

    Attributes:
        kind: a step, or that the last one was undone or done again.
        what: was asked for, as JSON.
        rows: those that a step is written in.
    """

    kind: _TurnKind
    what: str
    rows: tuple[Entry, ...]

    @property
    def step(self) -> Step:
        """The step of all its rows.

        Raises:
            InputError: they are damaged.
        """
        patches: list[Patch] = []
        facts = AnnotationState()
        for row in self.rows:
            try:
                described = _Row.model_validate_json(row.step or "")
            except ValidationError as error:
                raise InputError(
                    f"entry {row.number} of the journal is damaged; put a copy of the store back"
                ) from error
            patches += _patches(described, row.patches or b"")
            facts = facts if described.facts is None else described.facts.plain()
        return Step(tuple(patches), facts)


def turns(entries: Iterable[Entry]) -> Iterator[JournalEvent]:
    """Rows put together to steps, whose parts may have no end: a server was killed in the middle of one.

    The first part of a step says what was asked for, the others say nothing.
    """
    parts: list[Entry] = []
    for entry in entries:
        if entry.kind == "state":
            continue
        if entry.kind in _BESIDE:  # what it was done beside goes on, and comes after it
            yield JournalEvent(_BESIDE[entry.kind], entry.what, (entry,))
            continue
        goes_on = (entry.kind == "part" and not entry.what) or entry.kind == "end"
        if parts and not goes_on:
            yield JournalEvent("step", parts[0].what, tuple(parts))
            parts = []
        match entry.kind:
            case "part":
                parts.append(entry)
            case "end":
                yield JournalEvent("step", parts[0].what if parts else entry.what, (*parts, entry))
                parts = []
            case "step" | "undo" | "redo":
                yield JournalEvent(entry.kind, entry.what, (entry,))
    if parts:
        yield JournalEvent("step", parts[0].what, tuple(parts))


def _patches(row: _Row, data: bytes) -> Iterator[Patch]:
    start = 0
    for patch in row.patches:
        yield Patch(patch.array, patch.place, data[start : start + patch.size_bytes])
        start += patch.size_bytes


def _three(place: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    first, second, third = place
    return first, second, third
