"""What plug-ins are told of the work list."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ivos.annotate.monailabel.images import image_name
from ivos.annotate.monailabel.label_files import names_in
from ivos.annotate.monailabel.vocabulary import ids_in
from ivos.errors import InputError
from ivos.files import suffix_of
from ivos.types import Axis
from ivos.volume.geometry import reorientation

if TYPE_CHECKING:
    from ivos.annotate.server.service import Service
    from ivos.annotate.session.scan_session import ScanSession
    from ivos.annotate.storage.store import KeptScan

_log = logging.getLogger(__name__)

_NAMED = 3  # scans in a message

FINAL, ORIGINAL = "final", "original"
"""Tags of labels: of scans that are done, and of scans in work."""


def tag_of(kept: KeptScan) -> str | None:
    """The tag of a scan's labels; None before there are any."""
    return {"new": None, "in work": ORIGINAL, "done": FINAL}[kept.state]


def counts(service: Service) -> dict[str, Any]:
    """How many scans there are, and how many are done."""
    tags = [tag_of(kept) for kept in service.store.scans()]
    labelled = {tag: tags.count(tag) for tag in (FINAL, ORIGINAL) if tag in tags}
    return {"total": len(tags), "completed": tags.count(FINAL), "label_tags": labelled, "train": []}


def objects(service: Service) -> dict[str, Any]:
    """All scans with their labels. Names of structures are there for the next scan alone: others are not opened."""
    upcoming = next_scan(service)
    return {kept.id: _object(service, kept, named=kept == upcoming) for kept in service.store.scans()}


def next_scan(service: Service) -> KeptScan | None:
    """The first scan that is not done, of those that are not known to be unreadable."""
    return next((kept for kept in _left(service) if kept.id not in _unreadable(service)), None)


def next_readable_scan(service: Service) -> KeptScan | None:
    """The first scan that is not done and opens; one that does not is not offered until its file changes."""
    while (kept := next_scan(service)) is not None and not _opens(service, kept):
        service.unreadable[kept.id] = _stamp(service, kept)
    return kept


def _opens(service: Service, kept: KeptScan) -> bool:
    try:
        service.sessions.within(kept.id, lambda _: None)
    except (InputError, OSError) as error:
        _log.warning("passed over: %s", error)
        return False
    return True


def nothing_left(service: Service) -> dict[str, str]:
    """What is said in place of a next scan: that all are done, and which cannot be read."""
    names = [kept.name for kept in _left(service)]
    if not names:
        return {"message": f"nothing is left: all {len(service.store.scans())} scans are done"}
    shown = ", ".join(names[:_NAMED]) + ", ..." * (len(names) > _NAMED)
    return {"message": f"nothing is left but what cannot be read: {shown}"}


def _left(service: Service) -> list[KeptScan]:
    return [kept for kept in service.store.scans() if kept.state != "done"]


def _unreadable(service: Service) -> set[str]:
    """Scans that did not open, and whose files have not changed since."""
    return {
        kept.id
        for kept in service.store.scans()
        if kept.id in service.unreadable and service.unreadable[kept.id] == _stamp(service, kept)
    }


def _stamp(service: Service, kept: KeptScan) -> tuple[int, int] | None:
    """When a scan's file or folder was changed, and its size; None where it is gone."""
    try:
        status = service.sessions.source(kept).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def sample(service: Service, kept: KeptScan) -> dict[str, Any]:
    """A scan as an image to work on next, and where to look in it first."""
    return {"id": kept.id, **_info(kept), "state": kept.state, "suggestions": _suggestions(service, kept)}


def _object(service: Service, kept: KeptScan, *, named: bool) -> dict[str, Any]:
    tag = tag_of(kept)
    labels: dict[str, Any] = {}
    if tag is not None:
        try:
            names = service.sessions.within(kept.id, _names) if named else {}
        except InputError:  # which is no matter of the other scans
            names = {}
        labels[tag] = {"ext": ".nii.gz", "info": {"params": {"label_names": names} if named else {}}}
    return {"image": {"ext": suffix_of(Path(image_name(kept))), "info": _info(kept)}, "labels": labels}


def _info(kept: KeptScan) -> dict[str, Any]:
    changed = {} if kept.changed is None else {"ts": int(datetime.fromisoformat(kept.changed).timestamp())}
    return {"name": image_name(kept), **changed}


def _names(opened: ScanSession) -> dict[str, int]:
    return names_in(opened.named_labels().array, ids_in(opened))


def _suggestions(service: Service, kept: KeptScan) -> list[dict[str, Any]]:
    """Slices to draw next, the best first, by their numbers in the scan's file."""
    if kept.state == "new":
        return []  # nothing to go by, and no need to open it
    return service.sessions.within(kept.id, _suggested)


def _suggested(opened: ScanSession) -> list[dict[str, Any]]:
    names = {number: name for name, number in ids_in(opened).items()}
    along = Axis(reorientation(opened.volume.source).order.index(0))
    try:
        slices = opened.suggestions(along.plane)
    except InputError:  # propagated along another axis alone
        return []
    return [
        {
            "slice": opened.volume.source_index(along, found.index),
            "label": None if found.structure is None else names[found.structure],
            "why": found.why,
        }
        for found in slices
    ]
