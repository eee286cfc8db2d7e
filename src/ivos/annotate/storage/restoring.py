"""A session from what the store has of it, and back into a snapshot."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ivos.annotate.errors import ConflictError
from ivos.annotate.storage.corrections import Corrections
from ivos.annotate.storage.rows import turns
from ivos.errors import InputError
from ivos.interactive.session import InteractiveSession
from ivos.interactive.session_file import checksum

if TYPE_CHECKING:
    from collections.abc import Callable

    from ivos.annotate.storage.rows import JournalEvent
    from ivos.annotate.storage.store import Store
    from ivos.prompts.prompts import StrokeSegmenter
    from ivos.propagation.engines.protocol import Engine
    from ivos.volume.volume import Volume

_UNREADABLE = (
    "the work that is kept of this scan is damaged, or of another version of ivos; put a copy of the store back"
)


def check_same(store: Store, scan: str, volume: Volume) -> None:
    """Refuse a scan that is not the one that the store has the work on.

    Raises:
        ConflictError: it is another one.
        NotKeptError: the disk is full.
    """
    kept, found = store.scan(scan), checksum(volume)
    if kept.checksum is None:
        store.set_checksum(scan, found)
    elif kept.checksum != found:
        raise ConflictError(
            f"{kept.name}: is not the scan any more that the work in this folder was done on; put that one back"
        )


def restored(
    store: Store,
    scan: str,
    volume: Volume,
    *,
    engine: Callable[[], Engine] | None,
    strokes: StrokeSegmenter | None,
    temporary: Path,
) -> tuple[InteractiveSession, Corrections]:
    """The session of a scan as it was acknowledged last: the last snapshot, and what came after it.

    Args:
        store: of the work folder.
        scan: id.
        volume: the scan.
        engine: makes the engine of the session; None for the bundled one.
        strokes: makes masks of strokes.
        temporary: a folder for files of a moment.

    Raises:
        InputError: the store is damaged.
    """
    made = None if engine is None else engine()
    after, session = 0, InteractiveSession(volume, engine=made, strokes=strokes)
    snapshot = store.snapshot(scan)
    if snapshot is not None:
        after, content = snapshot
        with tempfile.TemporaryDirectory(dir=temporary) as folder:
            path = Path(folder, "snapshot.ivos")
            path.write_bytes(content)
            try:
                session = InteractiveSession.load(path, volume, engine=made, strokes=strokes)
            except InputError as error:
                raise ConflictError(_UNREADABLE) from error
    for turn in turns(store.entries(scan, after)):
        _do(session, turn)
    return session, Corrections(turns(store.requests(scan)))


def keep_snapshot(store: Store, scan: str, session: InteractiveSession, temporary: Path, at_least: int) -> None:
    """Have the store keep the session as it is, so that it opens fast; nothing is lost where there is no room for it.

    Args:
        store: of the work folder.
        scan: id.
        session: of the scan, in which nothing is under way.
        temporary: a folder for files of a moment.
        at_least: how many entries there have to be since the last snapshot.
    """
    if store.entries_since_snapshot(scan) < at_least:
        return
    with suppress(InputError, OSError), tempfile.TemporaryDirectory(dir=temporary) as folder:
        path = Path(folder, "snapshot.ivos")
        session.save(path)
        store.write_snapshot(scan, store.last_entry(scan), path.read_bytes())


def _do(session: InteractiveSession, turn: JournalEvent) -> None:
    match turn.kind:
        case "step":
            session.replay(turn.step)
        case "undo":
            session.undo()
        case "redo":
            session.redo()
