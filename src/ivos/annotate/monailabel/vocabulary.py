"""Names of structures, which is all that plug-ins know of them, and our ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivos.annotate.errors import ConflictError
from ivos.annotate.messages import Add
from ivos.errors import InputError
from ivos.interactive.validation import HIGHEST_STRUCTURE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ivos.annotate.messages import Scan
    from ivos.annotate.server.service import Service
    from ivos.annotate.session.scan_session import ScanSession


def at_hand(service: Service) -> Scan | None:
    """The scan that was worked on last, or else the first one; None if it cannot be opened."""
    scans = service.store.scans()
    if not scans:
        return None
    latest = max(scans, key=lambda kept: kept.changed or "")
    try:
        return service.sessions.within(latest.id, lambda opened: opened.message())
    except InputError:  # which is no matter of other scans
        return None


def usual_ids(service: Service) -> dict[str, int]:
    """Structures of the scan that was worked on last, with their ids: the next one is likely to have the same.

    So a cohort has one id for one name, whichever scan the structure was drawn in first.
    """
    untouched = all(kept.changed is None for kept in service.store.scans())
    scan = None if untouched else at_hand(service)
    return {} if scan is None else {structure.name: structure.id for structure in scan.structures}


def ids_in(opened: ScanSession) -> dict[str, int]:
    """The structures of a scan, with their ids."""
    return {structure.name: structure.id for structure in opened.message().structures}


def with_ids(opened: ScanSession, names: Iterable[str], usual: Mapping[str, int], who: str) -> dict[str, int]:
    """The ids of structures by name; those that the scan does not have are added to it.

    Args:
        opened: the scan.
        names: of the structures.
        usual: ids to take where they are free.
        who: asked for it.

    Raises:
        ConflictError: there are too many.
        InputError: one cannot be added.
    """
    ids = ids_in(opened)
    wanted = list(dict.fromkeys(names))
    for name in wanted:
        if name not in ids:
            ids[name] = _free(usual.get(name), set(ids.values()))
            opened.act(Add(do="add", id=ids[name], name=name), who)
    return {name: ids[name] for name in wanted}


def _free(wanted: int | None, taken: set[int]) -> int:
    if wanted is not None and wanted not in taken:
        return wanted
    free = next((number for number in range(1, HIGHEST_STRUCTURE + 1) if number not in taken), None)
    if free is None:
        raise ConflictError(f"there are {HIGHEST_STRUCTURE} structures already, which is the most; remove one")
    return free
