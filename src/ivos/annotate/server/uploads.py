"""Files that come over the wire: taken piece by piece into the work folder, looked at before they are opened."""

from __future__ import annotations

import gzip
import math
import re
import secrets
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydicom
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from ivos.annotate.errors import TooLargeError
from ivos.errors import InputError
from ivos.files import suffix_of
from ivos.io.nifti import voxels_of_nifti
from ivos.io.nrrd_header import read_nrrd_header

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.requests import Request

UPLOADED = (".nii", ".nii.gz", ".nrrd", ".zip")
UNPACKED_LIMIT_BYTES = 8 * 2**30
"""What a file may unpack to: a scan of 1,000 slices of 1,024 x 1,024 in float64."""

_MOST_FILES = 20_000  # in a zip file
_BLOCK_BYTES = 2**22


async def received(request: Request, folder: Path) -> tuple[str, Path]:
    """Take the file of a multipart request into a folder.

    Args:
        request: with the one field ``file``.
        folder: where it goes, under a name of our own.

    Returns:
        The name that it had, and where it is. It is looked at by :func:`check_harmless`, not here.

    Raises:
        InputError: no file, several, not multipart, or of a kind that is not read.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise InputError("send the file as multipart/form-data, in the field 'file'")
    part = _Part(folder)
    try:
        parser = MultipartParser(options[b"boundary"], part.callbacks, max_size=float("inf"))
        async for piece in _pieces(request):
            parser.write(piece)
        parser.finalize()
    except MultipartParseError as error:
        part.drop()
        raise InputError("the upload is damaged or was cut off; send it again") from error
    except BaseException:
        part.drop()
        raise
    if part.path is None or not part.whole:
        part.drop()
        raise InputError("the upload holds no file in the field 'file', or not all of it; send it again")
    part.close()
    return part.name, part.path


class _Part:
    """What the parser tells of the parts of a request; the file among them is written as it comes."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._headers = folder, {}  # type: tuple[Path, dict[bytes, bytes]]
        self._field = self._value = b""
        self._out: Any = None
        self.name, self.path, self.whole = "", None, False  # type: tuple[str, Path | None, bool]

    @property
    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._headers.clear,
            "on_header_field": lambda data, start, end: self._more_of_field(data[start:end]),
            "on_header_value": lambda data, start, end: self._more_of_value(data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._begin,
            "on_part_data": lambda data, start, end: self._out and self._out.write(data[start:end]),
            "on_part_end": self._end,
        }

    def close(self) -> None:
        if self._out is not None:
            self._out.close()

    def drop(self) -> None:
        """Leave nothing behind."""
        self.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def _more_of_field(self, data: bytes) -> None:
        self._field += data

    def _more_of_value(self, data: bytes) -> None:
        self._value += data

    def _end_header(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field = self._value = b""

    def _begin(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if options.get(b"name") != b"file" or b"filename" not in options:
            return
        if self.path is not None:
            raise InputError("several files at once: send one after the other")
        self.name = safe_name(options[b"filename"].decode("utf-8", "replace"))
        suffix = suffix_of(Path(self.name))
        if suffix not in UPLOADED:
            raise InputError(f"{self.name}: not a file to upload: {', '.join(UPLOADED)} (of DICOM files)")
        self.path = self._folder / f"{secrets.token_hex(8)}{suffix}"
        self._out = self.path.open("xb")

    def _end(self) -> None:
        if self._out is not None and not self.whole:
            self.whole = True
            self._out.close()
            self._out = None


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    async for piece in request.stream():
        if piece:
            yield piece


def safe_name(name: str) -> str:
    """What a file is called, without folders, and without what terminals, browsers and file systems trip over."""
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(c if c.isprintable() and c not in '<>:"|?*' else "_" for c in last).strip(" .")
    return (kept[:40] + "..." + kept[-60:] if len(kept) > 103 else kept) or "scan"


@contextmanager
def kept_if_harmless(path: Path, name: str) -> Iterator[None]:
    """An uploaded file that is gone if the block, or the look before it, refuses it; messages call it by its name."""
    try:
        check_harmless(path)
        yield
    except InputError as error:
        path.unlink(missing_ok=True)
        raise type(error)(str(error).replace(str(path), name)) from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def check_harmless(path: Path) -> None:
    """Refuse a file that would unpack to more than it may, or that has another file's voxels read.

    Raises:
        TooLargeError: it unpacks to too much.
        InputError: it is damaged, or not what its name says.
    """
    match suffix_of(path):
        case ".zip":
            _check_zip(path)
        case ".nii" | ".nii.gz":
            _check_nifti(path)
        case ".nrrd":
            _check_nrrd(path)
        case _:
            _check_size(path)


def _check_zip(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) > _MOST_FILES:
                raise TooLargeError(f"{path}: {len(members):,} files; at most {_MOST_FILES:,}: one series")
            _check_bytes(path, sum(member.file_size for member in members))
            voxels = 0
            for member in members:
                with archive.open(member) as file:
                    voxels += _pixels_of(file)
                _check_bytes(path, 2 * voxels)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: cannot be unpacked: not a whole, unencrypted zip file") from error


def _pixels_of(file: Any) -> int:
    """How many pixels a DICOM file says that it has; compressed ones may be many in few bytes."""
    try:
        data = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=["Rows", "Columns", "NumberOfFrames"])
        return int(data.get("Rows", 0)) * int(data.get("Columns", 0)) * int(data.get("NumberOfFrames", 1) or 1)
    except Exception:  # damaged headers make pydicom raise nearly anything; reading says so later
        return 0


def _check_nifti(path: Path) -> None:
    """By content, as it is read: any of them may be packed."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if packed:
        _check_gzip(path)
    _check_bytes(path, 8 * voxels_of_nifti(path))


def _check_gzip(path: Path) -> None:
    unpacked = 0
    try:
        with gzip.open(path) as packed:
            while block := packed.read(_BLOCK_BYTES):
                unpacked += len(block)
                _check_bytes(path, unpacked)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: cannot be unpacked: truncated or damaged; send it again") from error


def _check_nrrd(path: Path) -> None:
    """A header may name other files to take the voxels from: any on this machine."""
    header = read_nrrd_header(path)
    if header.is_detached:
        raise InputError(f"{path}: its voxels are in another file; send one file that holds all")
    _check_bytes(path, 8 * math.prod(header.sizes))


def _check_size(path: Path) -> None:
    """By the image's own header, before anything is made room for."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise InputError(f"{path}: cannot be read: not an image of the kind that its name says, or damaged") from error
    voxels = 1
    for length in reader.GetSize():
        voxels *= int(length)
    _check_bytes(path, 8 * voxels * reader.GetNumberOfComponents())


def _check_bytes(path: Path, count: int) -> None:
    if count > UNPACKED_LIMIT_BYTES:
        raise TooLargeError(
            f"{path}: unpacks to more than {UNPACKED_LIMIT_BYTES / 2**30:.0f} GiB; open it from the disk"
        )
