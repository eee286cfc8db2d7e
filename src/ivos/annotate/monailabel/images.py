"""Scans as the images of MONAI Label's datastore."""

from __future__ import annotations

import shutil
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from ivos.annotate.errors import ConflictError, NotFoundError
from ivos.annotate.server.uploads import kept_if_harmless, safe_name
from ivos.annotate.storage.worklist import plain_stem
from ivos.errors import InputError
from ivos.files import stem_of, suffix_of
from ivos.interactive.session_file import checksum
from ivos.io.read import read
from ivos.io.write import write_volume
from ivos.volume.geometry import difference

if TYPE_CHECKING:
    from ivos.annotate.monailabel.form import SentFile
    from ivos.annotate.server.service import Service
    from ivos.annotate.storage.store import KeptScan
    from ivos.volume.volume import Volume

_AS_THEY_ARE = (".nii", ".nii.gz", ".mha")  # whole in one file; NRRD may have its voxels in another one
_UNNAMED = "unnamed-"


def scan_of(service: Service, image: str) -> KeptScan:
    """The scan that a plug-in calls by an id: ours, or a name that it has uploaded it under.

    Raises:
        NotThereError: there is none.
        ConflictError: several are called so.
    """
    scans, names = service.store.scans(), {_composed(image), _composed(safe_name(image))} if _is_name(image) else set()
    own = [kept for kept in scans if kept.id == image]
    named = [kept for kept in scans if {_composed(kept.name), _composed(stem_of(Path(kept.name)))} & names]
    found = own or named
    shown = safe_name(image) if _is_name(image) else ""
    if not found:
        raise NotFoundError(f"image '{shown}': there is none; take an id from /datastore/, or upload it")
    if len(found) > 1:
        raise ConflictError(f"image '{shown}': {len(found)} scans are called so; take an id from /datastore/")
    return found[0]


def image_name(kept: KeptScan) -> str:
    """What a scan's file is called where it is downloaded; its ending says how it is to be read."""
    suffix = suffix_of(Path(kept.place))
    return plain_stem(kept.name) + (suffix if suffix in _AS_THEY_ARE else ".nii.gz")


def image_file(service: Service, kept: KeptScan) -> Path:
    """A file with a scan's intensities on its own grid: its own file, or a NIfTI file that is made once.

    Raises:
        InputError: it cannot be read any more.
    """
    source = service.sessions.source(kept)
    if suffix_of(source) in _AS_THEY_ARE:
        if not source.is_file():
            raise NotFoundError(f"{kept.name}: its file is not there any more; put it back")
        return source
    path = service.work / "cache" / f"{kept.id}-own-grid.nii.gz"
    if not path.exists():
        volume = service.sessions.within(kept.id, lambda opened: opened.volume)
        try:
            write_volume(path, volume)
        except InputError as error:
            raise InputError(str(error).replace(str(path), kept.name)) from error
    return path


def add_image(service: Service, image: str, sent: SentFile) -> KeptScan:
    """Put an uploaded scan on the work list, under the name that the plug-in has for it.

    The same scan again is the same image, with the work on it: plug-ins upload a scan that was opened in them once for
    a session and again when its labels are saved.

    Raises:
        ConflictError: another scan is called so.
        InputError: it cannot be read, or not without harm.
    """
    if not _is_name(image):
        raise InputError("an image without a name: give it one with a letter or a digit in it")
    name = safe_name(image)
    name = name if suffix_of(Path(name)) == suffix_of(sent.path) else name + suffix_of(sent.path)
    volume = _opened(sent)
    try:
        there = scan_of(service, image)
    except NotFoundError:
        unnamed = next((k for k in _same(service, volume) if k.name.startswith(_UNNAMED)), None)
        if unnamed is None:
            return _added(service, name, sent)
        service.store.rename(unnamed.id, name)
        return service.store.scan(unnamed.id)
    service.sessions.within(there.id, lambda _: None)  # its checksum is known once it was open
    if there.id not in {kept.id for kept in _same(service, volume)}:
        raise ConflictError(f"image '{safe_name(image)}': another scan is called so; give this one another name")
    return there


def add_unnamed(service: Service, sent: SentFile) -> KeptScan:
    """Put a scan on the work list that has no name yet, unless it is there.

    Raises:
        InputError: it cannot be read, or not without harm.
    """
    volume = _opened(sent)
    there = _same(service, volume)
    return there[0] if there else _added(service, f"{_UNNAMED}{sent.path.stem[:6]}{suffix_of(sent.path)}", sent)


def _composed(name: str) -> str:
    """A name with its marks as part of their letters, whichever way it came."""
    return unicodedata.normalize("NFC", name)


def _is_name(image: str) -> bool:
    """Whether anything is left of it when it is cleaned."""
    return any(c.isalnum() for c in image)


def _opened(sent: SentFile) -> Volume:
    with kept_if_harmless(sent.path, sent.name):
        return read(sent.path)


def _same(service: Service, volume: Volume) -> list[KeptScan]:
    """The scans that have been open and have the same intensities at the same places."""
    found = checksum(volume)
    alike = [kept for kept in service.store.scans() if kept.checksum == found]
    grids = [service.sessions.within(kept.id, lambda opened: opened.volume.geometry) for kept in alike]
    return [kept for kept, grid in zip(alike, grids, strict=True) if difference(grid, volume.geometry) is None]


def _added(service: Service, name: str, sent: SentFile) -> KeptScan:
    kept_at = service.uploads / f"scan-{sent.path.name}"
    shutil.move(sent.path, kept_at)
    return service.store.scan(service.add_upload(name, kept_at).id)
