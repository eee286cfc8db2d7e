"""What open scans share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ivos.annotate.messages import Memory
    from ivos.annotate.session.events import Events
    from ivos.annotate.session.worker import Worker
    from ivos.annotate.storage.store import Store
    from ivos.prompts.prompts import StrokeSegmenter
    from ivos.propagation.engines.protocol import Engine


@dataclass(frozen=True)
class ServerContext:
    """All of that.

    Attributes:
        store: of the work folder.
        events: to tell of.
        worker: everything is done in.
        temporary: a folder for files of a moment.
        engine: makes an engine for a session; None for the bundled one.
        strokes: makes masks of strokes.
        memory: what all open scans take, and may.
        finds: whether reference networks are there.
    """

    store: Store
    events: Events
    worker: Worker
    temporary: Path
    engine: Callable[[], Engine] | None
    strokes: StrokeSegmenter | None
    memory: Callable[[], Memory]
    finds: bool
