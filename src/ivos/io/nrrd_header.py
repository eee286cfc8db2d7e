"""The text before the voxels of an NRRD file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ivos.errors import InputError
from ivos.io.voxel_stream import Encoding, Part, numbered, quote_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

_LONGEST_LINE, _LONGEST_HEADER = 1 << 20, 1 << 24  # bytes; segment names and tags of a scanner may be many
_MAGIC = re.compile(rb"NRRD00(\.01|0[1-5])")
_PATTERN = re.compile(r"(.*%[0-9]{0,2}[diu].*?)\s+(-?[0-9]{1,18})\s+(-?[0-9]{1,18})\s+(-?[0-9]{1,18})(?:\s+[0-9]+)?")
_LIST = re.compile(r"LIST(?:\s+\d+)?")

_FIELDS = {  # without their spaces, by which writers differ
    "dimension", "type", "blocksize", "encoding", "endian", "content", "min", "max", "oldmin", "oldmax", "datafile",
    "lineskip", "byteskip", "number", "sampleunits", "sizes", "spacings", "thicknesses", "axismins", "axismaxs",
    "centers", "centerings", "labels", "units", "kinds", "space", "spacedimension", "spaceunits", "spaceorigin",
    "spacedirections", "measurementframe",
}  # fmt: skip
_ENCODINGS = {
    "raw": Encoding.raw,
    "gzip": Encoding.deflate,
    "gz": Encoding.deflate,
    "bzip2": Encoding.bzip2,
    "bz2": Encoding.bzip2,
    "txt": Encoding.text,
    "text": Encoding.text,
    "ascii": Encoding.text,
    "hex": Encoding.hex,
}
_TYPE_NAMES = {
    "b": "char, signed char, int8, int8_t",
    "B": "uchar, unsigned char, uint8, uint8_t",
    "h": "short, short int, signed short, signed short int, int16, int16_t",
    "H": "ushort, unsigned short, unsigned short int, uint16, uint16_t",
    "i": "int, signed int, int32, int32_t",
    "I": "uint, unsigned int, uint32, uint32_t",
    "q": "longlong, long long, long long int, signed long long, signed long long int, int64, int64_t",
    "Q": "ulonglong, unsigned long long, unsigned long long int, uint64, uint64_t",
    "f": "float",
    "d": "double",
}
_TYPES = {name: np.dtype(code) for code, names in _TYPE_NAMES.items() for name in names.split(", ")}


@dataclass(frozen=True)
class NrrdHeader:
    """An NRRD header.

    Attributes:
        path: of the file.
        fields: values by field, in lower case and without spaces (``spacedirections``).
        keys: values by key, of what a program has added (3D Slicer its segments).
        files: the names below ``data file: LIST``.
        end: the byte after the header.
    """

    path: Path
    fields: Mapping[str, str]
    keys: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    end: int = 0

    @property
    def is_detached(self) -> bool:
        """Whether the voxels are in other files."""
        return "datafile" in self.fields

    @property
    def sizes(self) -> list[int]:
        """Voxels along each axis, the fastest first."""
        sizes = self.numbers("sizes", int)
        if len(sizes) != self.numbers("dimension", int)[0] or min(sizes) < 1:
            raise self.damaged("sizes")
        return sizes

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of a voxel, with its byte order."""
        found = self.required("type").lower()
        if found == "block":
            raise InputError(f"{self.path}: voxels of type 'block' are no numbers; ivos needs one number per voxel")
        if found not in _TYPES:
            raise self.damaged("type")
        dtype = _TYPES[found]
        if dtype.itemsize == 1 or self.encoding is Encoding.text:
            return dtype
        match self.required("endian").lower():
            case "little":
                return dtype.newbyteorder("<")
            case "big":
                return dtype.newbyteorder(">")
        raise self.damaged("endian")

    @property
    def encoding(self) -> Encoding:
        """How its voxels are stored."""
        found = self.required("encoding").lower()
        if found not in _ENCODINGS:
            raise InputError(
                f"{self.path}: encoding '{quote_text(found)}' is not supported; use raw, gzip, bzip2, text or hex"
            )
        return _ENCODINGS[found]

    @property
    def parts(self) -> list[Part]:
        """Where its voxels are."""
        lines, skip = (self._skipped(name) for name in ("lineskip", "byteskip"))
        if lines < 0 or (skip < 0 and self.encoding is not Encoding.raw):
            raise self.damaged("lineskip" if lines < 0 else "byteskip")
        if not self.is_detached:
            return [Part(self.path, self.end, lines, skip)]
        return [Part(self.path.parent / name, 0, lines, skip) for name in self._names()]

    def _names(self) -> Sequence[str]:
        named = self.fields["datafile"]
        if _LIST.fullmatch(named):
            if not self.files:
                raise InputError(f"{self.path}: lists no files with its voxels; the header is truncated")
            return self.files
        pattern = _PATTERN.fullmatch(named)
        if pattern is None:
            return [named]
        first, last, step = (int(pattern[n]) for n in (2, 3, 4))
        if step == 0 or (last - first) * step < 0:
            raise self.damaged("datafile")
        numbers = range(first, last + (1 if step > 0 else -1), step)
        return numbered(pattern[1], numbers)

    def _skipped(self, name: str) -> int:
        return self.numbers(name, int)[0] if name in self.fields else 0

    def required(self, name: str) -> str:
        """The value of a field that must be there."""
        if not self.fields.get(name):
            raise InputError(f"{self.path}: its header has no field '{name}'; it is damaged or no NRRD file")
        return self.fields[name]

    def numbers(self, name: str, kind: type[Any] = float) -> list[Any]:
        """The numbers of a field."""
        try:
            return [kind(word) for word in self.required(name).split()]
        except ValueError as error:
            raise self.damaged(name) from error

    def vectors(self, name: str) -> list[list[float] | None]:
        """The vectors of a field; None for an axis that has none."""
        text = self.required(name)
        words = re.findall(r"\([^()]*\)|[^\s()]+", text)
        try:
            found = [
                None if w == "none" else [float(v) for v in w.removeprefix("(").removesuffix(")").split(",")]
                for w in words
            ]
        except ValueError as error:
            raise self.damaged(name) from error
        if not found:
            raise self.damaged(name)
        return [None if v is None or all(np.isnan(v)) else v for v in found]

    def words(self, name: str) -> list[str]:
        """The words of a field, quoted or not."""
        return [a or b for a, b in re.findall(r'"([^"]*)"|(\S+)', self.fields.get(name, ""))]

    def damaged(self, name: str) -> InputError:
        """A field that cannot be what it says."""
        value = quote_text(self.fields.get(name, ""))
        return InputError(f"{self.path}: its header says '{name}: {value}', which cannot be; it is damaged")


def read_nrrd_header(path: Path) -> NrrdHeader:
    """Read the header of an NRRD file, attached or detached.

    Raises:
        InputError: not an NRRD file, or a header with lines that are none of NRRD's.
    """
    try:
        return _read(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def _read(path: Path) -> NrrdHeader:
    fields: dict[str, str] = {}
    keys: dict[str, str] = {}
    with path.open("rb") as file:
        if not _MAGIC.fullmatch(file.readline(_LONGEST_LINE).rstrip(b"\r\n")):
            raise InputError(f"{path}: not an NRRD file, as its name says, or damaged")
        while line := file.readline(_LONGEST_LINE):
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if not text:
                break
            if file.tell() > _LONGEST_HEADER:
                raise InputError(f"{path}: its header does not end; it is damaged")
            _add_line(path, text, fields, keys)
            if _LIST.fullmatch(fields.get("datafile", "")):
                names = file.read(_LONGEST_HEADER).decode("utf-8", "replace").split("\n")
                return NrrdHeader(path, fields, keys, tuple(n.rstrip("\r") for n in names if n.strip()))
        else:
            if "datafile" not in fields:
                raise InputError(f"{path}: truncated: the file ends within its header; copy it again")
        return NrrdHeader(path, fields, keys, end=file.tell())


def _add_line(path: Path, text: str, fields: dict[str, str], keys: dict[str, str]) -> None:
    if text.startswith("#"):
        return
    key = re.fullmatch(r"(.*?):=(.*)", text)
    if key and ": " not in key[1]:
        keys[_unescaped(key[1])] = _unescaped(key[2])
        return
    name, colon, value = text.partition(":")
    plain = name.lower().replace(" ", "")
    if not colon or plain not in _FIELDS or plain in fields:
        raise InputError(
            f"{path}: a line of its header is unknown to NRRD or comes twice, '{quote_text(text)}'; it is damaged"
        )
    fields[plain] = value.strip()


def _unescaped(text: str) -> str:
    return re.sub(r"\\(n|\\)", lambda found: "\n" if found[1] == "n" else "\\", text)
