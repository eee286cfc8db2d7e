"""MetaImage files (.mha, .mhd): voxels and grid, of which every stream is checked to its end."""

from __future__ import annotations

import logging
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ivos.errors import InputError
from ivos.io.file_grid import grid_of_header
from ivos.io.image_format import ImageFormat
from ivos.io.sitk import write_image
from ivos.io.voxel_stream import Encoding, Part, numbered, quote_text, read_voxels
from ivos.volume.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    from ivos.types import Array
    from ivos.volume.geometry import Geometry

_log = logging.getLogger(__name__)

METAIMAGE_SUFFIXES = (".mha", ".mhd")

_LONGEST_LINE, _LONGEST_HEADER = 1 << 16, 1 << 22  # bytes
_TYPES = {
    "MET_CHAR": "i1",
    "MET_ASCII_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_UNITS_MM = {"um": 1e-3, "cm": 10.0}  # of DistanceUnits; whatever else it says is millimetres
_LIST = re.compile(r"LIST(?:\s+(\d+)D?)?", re.IGNORECASE)
_PATTERN = re.compile(r"(.*%[0-9]{0,2}[diu]\S*)\s+(-?[0-9]{1,18})\s+(-?[0-9]{1,18})(?:\s+([0-9]{1,18}))?")


@dataclass(frozen=True)
class _Header:
    """Values by key, in lower case, the names below ``ElementDataFile = LIST``, and the byte after it all."""

    path: Path
    values: Mapping[str, str]
    files: tuple[str, ...] = field(default=())
    end: int = 0

    def numbers(self, *names: str, count: int) -> list[float] | None:
        """The first of these keys that is there, as ``count`` numbers."""
        for name in names:
            if name.lower() in self.values:
                try:
                    found = [float(word) for word in self.values[name.lower()].split()]
                except ValueError as error:
                    raise self.damaged(name) from error
                if len(found) != count:
                    raise self.damaged(name)
                return found
        return None

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number."""
        text = self.values.get(name.lower(), "" if default is None else str(default))
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            raise self.damaged(name)
        return int(text)

    def is_true(self, *names: str, default: bool = False) -> bool:
        """Whether the first of these keys that is there says yes; MetaIO looks at its first letter alone."""
        for name in names:
            if text := self.values.get(name.lower()):
                if text[0].lower() not in "tfyn01":
                    raise self.damaged(name)
                return text[0].lower() in "ty1"
        return default

    def damaged(self, name: str) -> InputError:
        """A value that cannot be what it says."""
        value = self.values.get(name.lower())
        if value is None:
            return InputError(f"{self.path}: its header has no '{name}'; it is damaged or no MetaImage")
        return InputError(
            f"{self.path}: its header says '{name} = {quote_text(value)}', which cannot be; it is damaged"
        )


def read_metaimage(path: Path) -> tuple[Array, Geometry]:
    """Read one volume.

    Returns:
        Voxels (Z, Y, X) as the file orders them, and their grid.

    Raises:
        InputError: not MetaImage, damaged, truncated, its other file missing, a spacing that is not above zero, or not
            one volume of one number per voxel.
    """
    try:
        header = _read_header(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    sizes = _sizes(header)
    grid = _grid(header, sizes)
    dtype, encoding = _dtype(header), _encoding(header)
    parts = _parts(header)
    _check_long(header, dtype, encoding, parts, math.prod(sizes))
    return read_voxels(path, parts, encoding, dtype, math.prod(sizes)).reshape(grid.shape), grid


def _read_header(path: Path) -> _Header:
    values: dict[str, str] = {}
    with path.open("rb") as file:
        while line := file.readline(_LONGEST_LINE):
            name, separator, value = re.match(r"([^=:]*)([=:]?)(.*)", _text(line)).groups()  # type: ignore[union-attr]
            if not separator or b"\0" in line or file.tell() > _LONGEST_HEADER:
                if not name.strip() and not separator and b"\0" not in line:
                    continue
                break
            key = name.strip().lower()
            if values.setdefault(key, value.strip()) != value.strip() and key != "comment":
                raise InputError(f"{path}: its header says two things of '{quote_text(name.strip())}'; it is damaged")
            if key == "elementdatafile":
                listed = _LIST.fullmatch(value.strip())
                names = _text(file.read(_LONGEST_HEADER)).split("\n") if listed else []
                return _Header(path, values, tuple(n.strip() for n in names if n.strip()), file.tell())
    if "ndims" in values and "dimsize" in values:
        raise InputError(
            f"{path}: its header ends without 'ElementDataFile'; it is truncated or damaged: copy it again"
        )
    raise InputError(f"{path}: not a MetaImage, as its name says, or damaged")


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").replace("\r", "").strip("\n")


def _sizes(header: _Header) -> list[int]:
    """Voxels along the three axes, the fastest first."""
    count = header.whole("NDims")
    found = header.numbers("DimSize", count=count)
    if found is None or not all(1 <= n < 2**31 and n == int(n) for n in found):
        raise header.damaged("DimSize")
    sizes = [int(n) for n in found]
    size_text = " x ".join(map(str, sizes))
    if count < 3 or min(sizes[:3]) < 2:
        raise InputError(f"{header.path}: two-dimensional ({size_text} pixels); ivos needs a volume of several slices")
    if max(sizes[3:], default=1) > 1:
        raise InputError(f"{header.path}: {count}-dimensional ({size_text}); give one volume: split the series first")
    channels = header.whole("ElementNumberOfChannels", 1)
    if channels != 1:
        raise InputError(f"{header.path}: {channels} values per voxel (colour?); ivos needs one")
    return sizes[:3]


def _grid(header: _Header, sizes: list[int]) -> Geometry:
    count = header.whole("NDims")
    spacing = header.numbers("ElementSpacing", "ElementSize", count=count)
    if spacing is None:
        _log.warning("%s: says nothing of its spacing; 1 mm is assumed", header.path)
    origin = header.numbers("Offset", "Position", "Origin", count=count) or [0.0] * count
    matrix = header.numbers("TransformMatrix", "Rotation", "Orientation", count=count**2)
    rows: npt.NDArray[np.float64] = np.eye(count) if matrix is None else np.reshape(matrix, (count, count))
    scale = _UNITS_MM.get(header.values.get("distanceunits", "").lower(), 1.0)
    spacing_mm = [scale * s for s in (spacing or [1.0] * count)[:3]]
    return grid_of_header(header.path, sizes, spacing_mm, rows[:3, :3], [scale * o for o in origin[:3]])


def _dtype(header: _Header) -> np.dtype[Any]:
    name = header.values.get("elementtype", "").removesuffix("_ARRAY")
    if name not in _TYPES:
        raise header.damaged("ElementType")
    big = header.is_true("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
    return np.dtype(_TYPES[name]).newbyteorder(">" if big else "<")


def _encoding(header: _Header) -> Encoding:
    if not header.is_true("BinaryData", default=True):
        return Encoding.text
    return Encoding.deflate if header.is_true("CompressedData") else Encoding.raw


def _parts(header: _Header) -> list[Part]:
    skip = header.whole("HeaderSize", 0)
    if skip < -1 or (skip == -1 and _encoding(header) is not Encoding.raw):
        raise header.damaged("HeaderSize")
    named = header.values["elementdatafile"]
    if not named:
        raise header.damaged("ElementDataFile")
    if named.lower() == "local":
        return [Part(header.path, skip if skip > 0 else header.end, skip=min(0, skip))]
    listed, pattern = _LIST.fullmatch(named), _PATTERN.fullmatch(named)
    names = [named]
    if listed:
        names = list(header.files)
        if not names:
            raise InputError(f"{header.path}: lists no files with its voxels; the header is truncated")
    elif pattern:
        first, last, step = int(pattern[2]), int(pattern[3]), int(pattern[4] or 1)
        if last < first or step < 1:
            raise header.damaged("ElementDataFile")
        names = numbered(pattern[1], range(first, last + 1, step))
    return [Part(header.path.parent / name, max(0, skip), skip=min(0, skip)) for name in names]


def _check_long(header: _Header, dtype: np.dtype[Any], encoding: Encoding, parts: list[Part], count: int) -> None:
    """Refuse long voxels of 8 bytes: MetaIO's own have 4, and would show every second one as 0."""
    if not header.values["elementtype"].startswith(("MET_LONG", "MET_ULONG")) or dtype.itemsize != 4:
        return
    if encoding is Encoding.raw and len(parts) == 1 and parts[0].path.is_file():
        there = parts[0].path.stat().st_size - parts[0].start
        if there >= 8 * count:
            raise InputError(
                f"{header.path}: MET_LONG means 4 bytes per voxel, and 8 are there; name the type MET_LONG_LONG"
            )


def _read(path: Path) -> tuple[Volume, float]:
    return Volume.from_array(*read_metaimage(path), what=str(path)), 0.0


def _write(path: Path, array: Array, volume: Volume) -> None:
    write_image(path, array, volume.source)


FORMAT = ImageFormat(METAIMAGE_SUFFIXES, _read, _write, (".mha",))
