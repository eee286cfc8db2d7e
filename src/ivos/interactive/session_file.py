"""A session in one file: a zip of plain arrays, the history's patches, and JSON that says what is what.

Nothing in it is trusted: sizes are checked against the scan, and before anything is unpacked.
"""

from __future__ import annotations

import hashlib
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from ivos.errors import InputError
from ivos.files import replacing
from ivos.interactive.history import History
from ivos.interactive.session_json import SessionJson
from ivos.interactive.state import State, new_arrays
from ivos.volume.geometry import difference
from ivos.volume.volume import Volume

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.interactive.history import ArrayName

_JSON, _PATCHES = "session.json", "patches.bin"
_JSON_LIMIT_BYTES = 256 * 2**20
_HEADER_LIMIT_BYTES = 4096  # of an array in the file
_DAMAGED = (
    zipfile.BadZipFile,
    KeyError,
    RuntimeError,
    EOFError,
    ValueError,
    OverflowError,
    MemoryError,
    zlib.error,
    struct.error,
)
"""What reading a file raises that is no such zip, or not what it says that it is."""


@dataclass(frozen=True)
class SavedSession:
    """What a session consists of.

    Attributes:
        grid: a volume on the scan's grid; the scan itself where it is there.
        state: labels and all else that changes.
        history: what can be undone.
    """

    grid: Volume
    state: State
    history: History


def checksum(scan: Volume) -> str:
    """Of a scan's intensities in canonical order."""
    made = hashlib.sha256(f"{scan.array.dtype.str} {scan.array.shape}".encode())
    for plane in scan.array:
        made.update(np.ascontiguousarray(plane).data)
    return made.hexdigest()


def save_session(path: Path, saved: SavedSession, scan_checksum: str) -> None:
    """Write a session, whole or not at all.

    Args:
        path: where to.
        saved: the session.
        scan_checksum: of its scan.

    Raises:
        InputError: the file cannot be written.
    """
    described = SessionJson.of(saved.grid, scan_checksum, saved.state.facts, saved.history)
    with replacing(path) as temporary:
        try:
            with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
                file.writestr(_JSON, described.model_dump_json())
                for name, array in saved.state.arrays.items():
                    with file.open(f"{name}.npy", "w", force_zip64=True) as entry:
                        np.lib.format.write_array(entry, array, allow_pickle=False)
                patches = zipfile.ZipInfo(_PATCHES)  # stored: they are deflated already
                with file.open(patches, "w", force_zip64=True) as entry:
                    for step in (*saved.history.done, *saved.history.undone):
                        entry.writelines(patch.data for patch in step.patches)
        except OSError as error:
            raise InputError(f"{path}: could not be written: {error.strerror}") from error


def load_session(path: Path, scan: Volume | None, history_bytes: int) -> tuple[SavedSession, str]:
    """Read a session.

    Args:
        path: the file.
        scan: the scan that it is of; None to do without.
        history_bytes: what undoing may take.

    Returns:
        The session, and the checksum of its scan.

    Raises:
        InputError: no such file, not a session, damaged, or of another scan.
    """
    try:
        with zipfile.ZipFile(path) as file:
            described = SessionJson.model_validate_json(_bounded(file, _JSON, _JSON_LIMIT_BYTES))
            grid = _grid(path, described, scan)
            state = State(_arrays(file, described), described.facts.plain())
            patches = _bounded(file, _PATCHES, path.stat().st_size)
            done, undone = described.steps(patches)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except InputError:
        raise
    except (ValidationError, *_DAMAGED) as error:
        raise InputError(f"{path}: not a session of ivos, or damaged; open an earlier copy of it") from error
    return SavedSession(grid, state, History(history_bytes, done, undone)), described.checksum


def _grid(path: Path, described: SessionJson, scan: Volume | None) -> Volume:
    """The scan, if it is the session's; without one a volume of its shape."""
    geometry = described.geometry.plain()
    if scan is None:
        labels = np.broadcast_to(np.uint8(0), geometry.shape)  # takes no memory, whatever the shape
        return Volume(labels, geometry, described.source.plain(), described.modality, nifti=described.nifti)
    differs = difference(geometry, scan.geometry)
    if differs:
        raise InputError(f"{path}: a session on another scan: {differs}; give the scan that it was begun on")
    if checksum(scan) != described.checksum:
        raise InputError(f"{path}: a session on another scan: its intensities differ; give the scan it was begun on")
    return scan


def _arrays(file: zipfile.ZipFile, described: SessionJson) -> dict[ArrayName, npt.NDArray[Any]]:
    """The arrays, each of the very shape and type that a session on such a scan has."""
    shape = described.geometry.plain().shape
    stored = file.getinfo("labels.npy").file_size
    if not 0 <= stored - int(np.prod(shape, dtype=object)) <= _HEADER_LIMIT_BYTES:
        raise ValueError("the labels are not of the scan's size")
    arrays = new_arrays(shape)
    for name, array in arrays.items():
        with file.open(f"{name}.npy") as entry:
            _read_into(array, entry)
    ids = [0, *(label.id for label in described.facts.structures)]
    if not all(np.isin(np.unique(plane), ids).all() for plane in arrays["labels"]):
        raise ValueError("labels that are no structures of the session")
    if not all(np.isfinite(array).all() for array in arrays.values() if array.dtype == np.float64):
        raise ValueError("figures that are not numbers")
    return arrays


def _read_into(array: npt.NDArray[Any], entry: IO[bytes]) -> None:
    """Fill an array from an entry that has to hold exactly such a one; the text of its header is not evaluated."""
    magic, length = struct.unpack("<8sH", entry.read(10))
    header = f"{{'descr': '{array.dtype.str}', 'fortran_order': False, 'shape': {array.shape}, }}"
    if magic != b"\x93NUMPY\x01\x00" or entry.read(length).rstrip() != header.encode():
        raise ValueError("an array of another shape or type")
    for plane in array:
        part = entry.read(plane.nbytes)
        plane[...] = np.frombuffer(part, array.dtype).reshape(plane.shape)
    if entry.read(1):  # at its end the checksum is compared
        raise ValueError("an array of another shape")


def _bounded(file: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """An entry of no more than so many bytes."""
    with file.open(name) as entry:
        content = entry.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"{name} is too large")
    return content
