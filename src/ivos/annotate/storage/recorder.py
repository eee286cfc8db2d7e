"""From a session to the store: every change is written before anybody hears that it was made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ivos.annotate.storage.rows import packed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

    from ivos.annotate.storage.corrections import Corrections
    from ivos.annotate.storage.store import Kind, Store
    from ivos.interactive.history import Step


@dataclass(frozen=True)
class ActionRequest:
    """What somebody asked for.

    Attributes:
        what: as JSON.
        who: asked.
    """

    what: str
    who: str


class Recorder:
    """Is told of everything that changes a session, and writes it down.

    Args:
        store: to write to.
        scan: id of the session's scan.
        corrections: which is told too.
    """

    def __init__(self, store: Store, scan: str, corrections: Callable[[], Corrections]) -> None:
        self._store, self._scan, self._corrections = store, scan, corrections
        self.asked = ActionRequest("{}", "")
        self._parts = 0  # patches of the step under way that are written
        self._parts_asked = self.asked  # what that step was asked for; other things may be asked for beside it

    def part(self, step: Step) -> None:
        """Write what a step under way has changed since it was written last.

        Raises:
            NotKeptError: the disk is full.
        """
        new = step.patches[self._parts :]
        if not new:
            return
        described, data = packed(new)
        if not self._parts:
            self._parts_asked = self.asked
        asked, what = self._parts_asked, "" if self._parts else self.asked.what
        self._store.append(self._scan, "part", what, asked.who, step=described, patches=data)
        self._parts = len(step.patches)

    def step(self, step: Step) -> None:
        """Write a step that is over.

        Raises:
            NotKeptError: the disk is full.
        """
        described, data = packed(step.patches[self._parts :], step.facts)
        kind: Kind = "end" if self._parts else "step"
        asked = self._parts_asked if self._parts else self.asked
        what = "" if self._parts else asked.what
        self._store.append(self._scan, kind, what, asked.who, step=described, patches=data)
        self._parts = 0
        self._corrections().step(asked.what)

    def undone(self) -> None:
        """Write that the last step was taken back.

        Raises:
            NotKeptError: the disk is full.
        """
        self._store.append(self._scan, "undo", self.asked.what, self.asked.who)
        self._corrections().undo()

    def redone(self) -> None:
        """Write that the last step taken back was done again.

        Raises:
            NotKeptError: the disk is full.
        """
        self._store.append(self._scan, "redo", self.asked.what, self.asked.who)
        self._corrections().redo()

    def beside(self, step: Step) -> None:
        """Write a step that is over while another one goes on.

        Raises:
            NotKeptError: the disk is full.
        """
        described, data = packed(step.patches, step.facts)
        kind: Kind = "beside" if self._parts else "step"  # before its first part the other one has not begun
        self._store.append(self._scan, kind, self.asked.what, self.asked.who, step=described, patches=data)
        self._corrections().step(self.asked.what)

    def beside_undone(self) -> None:
        """Write that such a step was taken back.

        Raises:
            NotKeptError: the disk is full.
        """
        self._store.append(self._scan, "beside undo" if self._parts else "undo", self.asked.what, self.asked.who)
        self._corrections().undo()

    def beside_redone(self) -> None:
        """Write that it was done again.

        Raises:
            NotKeptError: the disk is full.
        """
        self._store.append(self._scan, "beside redo" if self._parts else "redo", self.asked.what, self.asked.who)
        self._corrections().redo()


def as_json(request: BaseModel | None, **more: object) -> str:
    """What was asked for, as it is written: a request if there is one, and more."""
    asked = {} if request is None else request.model_dump(mode="json")
    return json.dumps({**asked, **more}, separators=(",", ":"))
