"""DICOM files: which files are some, with or without a preamble; how they are opened; zip files of them."""

from __future__ import annotations

import re
import shutil
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pydicom
from pydicom.datadict import dictionary_has_tag
from pydicom.filereader import read_partial
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pydicom.valuerep import VR

from ivos.errors import InputError
from ivos.files import is_system_file, temporary_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from pydicom.dataset import Dataset, FileDataset
    from pydicom.tag import BaseTag

_PREAMBLE = 132  # bytes, of which the last four say DICM
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")  # file header or data set; data set in big endian
_LONGEST_FIRST_ELEMENT = 1 << 16
_TYPES = frozenset(vr.value.encode() for vr in VR if len(vr.value) == 2)
_IDENTIFYING = 0x0008
_SAY_WHAT_IT_IS = (0x00080016, 0x00080018, 0x00080060)  # class, instance, modality
_ZIP_LIMIT_BYTES = 32 << 30


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM: it has the preamble, or begins as a data set does.

    Such a one has known elements in the group of identifying ones, among them its class, instance or modality (empty
    perhaps, where patients were made anonymous), and further groups.
    """
    try:
        with path.open("rb") as file:
            return begins_as_dicom(file)
    except OSError:
        return False


def begins_as_dicom(file: BinaryIO) -> bool:
    """The same of an open file; reading continues at its begin."""
    start = file.read(_PREAMBLE)
    file.seek(0)
    if start[128:] == b"DICM":
        return True
    if not _begins_as_data_set(start):
        return False
    beyond: list[BaseTag] = []

    def stop(tag: BaseTag, *_: object) -> bool:
        beyond.extend([tag] * (tag.group > _IDENTIFYING))
        return bool(beyond)

    try:
        tags = read_partial(file, stop, force=True).keys()
    except Exception:  # what is not DICOM makes pydicom raise nearly anything
        return False
    finally:
        file.seek(0)
    known = all(tag.group == _IDENTIFYING and dictionary_has_tag(tag) for tag in tags)
    return bool(beyond) and known and any(tag in tags for tag in _SAY_WHAT_IT_IS)


def _begins_as_data_set(start: bytes) -> bool:
    """Whether the first element is one with which data sets begin, and is not longer than such elements are."""
    if len(start) < 16 or start[:2] not in _FIRST_GROUPS:
        return False
    return start[4:6] in _TYPES or int.from_bytes(start[4:8], "little") < _LONGEST_FIRST_ELEMENT


def open_header(path: Path) -> FileDataset:
    """All of a DICOM file but its pixels; the transfer syntax is there even where the file does not say it.

    Raises:
        Exception: nearly any, for a file that is damaged or not DICOM.
    """
    return _with_syntax(pydicom.dcmread(path, stop_before_pixels=True, force=True))


def open_partly(path: Path, stop: Callable[[BaseTag, str | None, int], bool], tags: list[int]) -> Dataset | None:
    """A few elements of a DICOM file, without reading the others; None for a file of another kind.

    Args:
        path: of the file.
        stop: whether to stop before an element, by its tag, type and length.
        tags: of the elements.

    Raises:
        Exception: nearly any, for a file that is damaged.
    """
    with path.open("rb") as file:
        if not begins_as_dicom(file):
            return None
        return read_partial(file, stop, force=True, specific_tags=tags)


def open_whole(path: Path) -> FileDataset:
    """A DICOM file with its pixels; as :func:`open_header` else."""
    return _with_syntax(pydicom.dcmread(path, force=True))


def _with_syntax(data: FileDataset) -> FileDataset:
    if not data.file_meta.get("TransferSyntaxUID"):
        implicit, little = data.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return data


@contextmanager
def dicom_folder(path: Path) -> Iterator[Path]:
    """A folder of DICOM files as it is; a zip file unpacked for as long as the block lasts.

    Raises:
        InputError: not a whole zip file, or one that unpacks to too much.
    """
    if path.is_dir():
        yield path
        return
    with temporary_folder() as folder:
        _unpack(path, folder)
        yield folder


def _unpack(path: Path, folder: Path) -> None:
    """Unpack a zip file."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
            total = sum(m.file_size for m in members)
            if total > _ZIP_LIMIT_BYTES:
                raise InputError(f"{path}: unpacks to {total / 2**30:.0f} GiB; unpack it and give the folder")
            for number, member in enumerate(members):
                with archive.open(member) as packed, (folder / _harmless(number, member.filename)).open("wb") as out:
                    shutil.copyfileobj(packed, out)  # in pieces: one member may be larger than the memory
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{path}: cannot be unpacked: not a whole, unencrypted zip file") from error


def _harmless(number: int, name: str) -> str:
    """A file name from one in an archive, which is not to be trusted: for messages, and to know system files by."""
    last = PurePosixPath(name.replace("\\", "/")).name
    if is_system_file(Path(last)):
        return f".{number:06d}"
    return f"{number:06d}_" + re.sub(r"[^\w.()-]", "_", last, flags=re.ASCII)[-80:]
