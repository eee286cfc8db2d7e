"""Voxels out of files, plain or packed: every stream is read to its end, so that its own checksum is compared."""

from __future__ import annotations

import bz2
import logging
import os
import re
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ivos.types import Array

_log = logging.getLogger(__name__)

_NUMBER = re.compile(r"%([0-9]{0,2})[diu]")
_MOST_FILES = 1 << 20
_BLOCK_BYTES = 1 << 20
_LARGEST_RATIO = 1032  # what deflate can make of a byte at most
_GZIP_MAGIC = b"\x1f\x8b\x08"
_ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS


class Encoding(str, Enum):
    """How voxels are stored."""

    raw = "raw"
    deflate = "deflate"  # zlib or gzip
    bzip2 = "bzip2"
    text = "text"
    hex = "hex"


@dataclass(frozen=True)
class Part:
    """Where some of the voxels are.

    Attributes:
        path: of the file that holds them.
        start: the byte at which they, or the lines to skip, begin.
        lines: how many lines to skip there.
        skip: how many bytes to skip after these, of what comes out where the voxels are packed; below zero, the voxels
            end with -skip - 1 bytes left of the file.
    """

    path: Path
    start: int = 0
    lines: int = 0
    skip: int = 0


def quote_text(text: str, longest: int = 60) -> str:
    """Text of a file as far as a message has room for it."""
    printable = "".join(c if c.isprintable() else "?" for c in text[:longest])
    return printable + "..." * (len(text) > longest)


def numbered(pattern: str, numbers: range) -> list[str]:
    """File names that a pattern with one ``%d``, ``%03d`` or the like stands for; none where there are too many."""
    before, digits, after = _NUMBER.split(pattern, maxsplit=1)
    if abs(numbers.stop - numbers.start) > _MOST_FILES * abs(numbers.step):
        return []
    return [f"{before}{f'%{digits}d' % n}{after}" for n in numbers]


def read_voxels(header: Path, parts: Sequence[Part], encoding: Encoding, dtype: np.dtype[Any], count: int) -> Array:
    """Read voxels, and check each stream to its end.

    Args:
        header: the file that says where they are, for messages.
        parts: of the voxels, of equal length and in their order.
        encoding: how they are stored.
        dtype: of a voxel, with its byte order.
        count: of all voxels.

    Returns:
        The voxels (count) in the machine's byte order.

    Raises:
        InputError: a file is missing, shorter than its header says, damaged, or holds more packed voxels than it says.
    """
    each, rest = divmod(count, len(parts) or 1)
    if rest or not each or not parts:
        raise InputError(
            f"{header}: {count:,} voxels cannot lie in {len(parts)} files of one length; its header is damaged"
        )
    sources = [_Source(header, part, encoding, dtype, each) for part in parts]
    for source in sources:  # before room is made for what they should hold
        source.check_length()
    voxels = _room(header, count, dtype)
    for number, source in enumerate(sources):
        source.read_into(voxels[number * each : (number + 1) * each])
    return voxels if dtype.isnative else voxels.byteswap(inplace=True).view(dtype.newbyteorder("="))


def _room(header: Path, count: int, dtype: np.dtype[Any]) -> Array:
    try:
        return np.empty(count, dtype)
    except (MemoryError, ValueError, OverflowError) as error:
        raise InputError(
            f"{header}: its header asks for more memory than there is ({count:,} voxels); it is probably damaged"
        ) from error


@dataclass(frozen=True)
class _Source:
    """One file with voxels, and how it is read."""

    header: Path
    part: Part
    encoding: Encoding
    dtype: np.dtype[Any]
    count: int

    @property
    def _bytes(self) -> int:
        return self.count * self.dtype.itemsize

    @property
    def _place(self) -> str:
        return quote_text(str(self.part.path), 200)

    @property
    def _named(self) -> str:
        return (
            str(self.header)
            if self.part.path == self.header
            else f"{self.header}: its voxels in {quote_text(self.part.path.name)}"
        )

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        """The file, at the first byte of what is stored."""
        try:
            file = self.part.path.open("rb")
        except FileNotFoundError as error:
            raise InputError(
                f"{self.header}: its voxels are to be in {self._place}, and there is no such file; put it there, or "
                "correct the name in the header"
            ) from error
        except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
            reason = getattr(error, "strerror", None) or "not the name of a file"
            raise InputError(f"{self.header}: its voxels in {self._place} cannot be read: {reason}") from error
        with file:
            length = _length(file)
            file.seek(min(self.part.start, length))
            for _ in range(self.part.lines):
                if not file.readline():
                    break
            if self.encoding is Encoding.raw:
                skip = self.part.skip
                start = file.tell() + skip if skip >= 0 else max(file.tell(), length + skip + 1 - self._bytes)
                file.seek(min(start, length))
            yield file

    def check_length(self) -> None:
        """Refuse a file that cannot hold what it should; say what is not read of one that holds more."""
        with self._opened() as file:
            there = max(0, _length(file) - file.tell())
        least = {
            Encoding.raw: self._bytes,
            Encoding.deflate: self._bytes // _LARGEST_RATIO,
            Encoding.bzip2: 1,
            Encoding.text: 2 * self.count - 1,
            Encoding.hex: 2 * self._bytes,
        }[self.encoding]
        if there < least:
            raise self._truncated(there if self.encoding is Encoding.raw else None)
        if self.encoding is Encoding.raw and self.part.skip >= 0 and there > least:
            self._say_surplus(f"{there - least:,} bytes")

    def read_into(self, voxels: Array) -> None:
        """Fill ``voxels`` (count)."""
        with self._opened() as file:
            match self.encoding:
                case Encoding.raw:
                    found = cast("Any", file).readinto(_bytes_of(voxels))
                    if found < self._bytes:
                        raise self._truncated(found)
                case Encoding.text:
                    voxels[:] = self._parsed(file.read())
                case Encoding.hex:
                    self._read_hex(file, voxels)
                case _:
                    self._unpack(file, _bytes_of(voxels))

    def _unpack(self, file: BinaryIO, room: memoryview) -> None:
        before, filled = max(0, self.part.skip), 0  # bytes still to skip; bytes there
        blocks = _inflated(file) if self.encoding is Encoding.deflate else _from_bzip2(file)
        try:
            for block in blocks:
                piece = block[before:] if before else block
                before = max(0, before - len(block))
                if filled + len(piece) > self._bytes:
                    raise InputError(
                        f"{self._named}: unpacks to more than the {self._bytes:,} bytes of voxels that its header "
                        "says; one of the two is damaged: copy it again"
                    )
                room[filled : filled + len(piece)] = piece
                filled += len(piece)
        except EOFError as error:
            raise self._truncated(None) from error
        except (zlib.error, OSError) as error:
            raise InputError(
                f"{self._named}: damaged: what is packed does not match its checksum; copy it again"
            ) from error
        if filled < self._bytes:
            raise self._truncated(filled)

    def _parsed(self, text: bytes) -> Array:
        words = text.replace(b",", b" ").split()
        if len(words) < self.count:
            raise InputError(
                f"{self._named}: truncated: {len(words):,} of {self.count:,} voxels are there; copy it again"
            )
        if len(words) > self.count:
            self._say_surplus(f"{len(words) - self.count:,} numbers")
        whole = np.issubdtype(self.dtype, np.integer)
        wide = np.float64 if not whole else np.int64 if np.issubdtype(self.dtype, np.signedinteger) else np.uint64
        try:
            values = np.array(words[: self.count]).astype(wide)
        except (ValueError, OverflowError) as error:
            raise InputError(
                f"{self._named}: damaged: something between its voxels is no number of their type"
            ) from error
        if whole and not (np.iinfo(self.dtype).min <= values.min() and values.max() <= np.iinfo(self.dtype).max):
            raise InputError(
                f"{self._named}: damaged: some voxels do not fit the type in its header, {self.dtype.name}"
            )
        return values

    def _read_hex(self, file: BinaryIO, voxels: Array) -> None:
        digits = b"".join(file.read().split())
        try:
            found = bytes.fromhex(digits[: 2 * self._bytes].decode("ascii"))
        except ValueError as error:
            raise InputError(f"{self._named}: damaged: its voxels are not hexadecimal; copy it again") from error
        if len(found) < self._bytes:
            raise self._truncated(len(found))
        if len(digits) > 2 * self._bytes:
            self._say_surplus(f"{len(digits) // 2 - self._bytes:,} bytes")
        _bytes_of(voxels)[:] = found

    def _truncated(self, there: int | None) -> InputError:
        of = f"{self._bytes:,} bytes of voxels"
        found = f"less than {of} are there" if there is None else f"{there:,} of {of} are there"
        return InputError(f"{self._named}: truncated: {found}; copy it again")

    def _say_surplus(self, what: str) -> None:
        _log.warning("%s: %s after its voxels are left unread: its header says that there are none", self._named, what)


def _bytes_of(voxels: Array) -> memoryview:
    return voxels.view(np.uint8).data


def _length(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _inflated(file: BinaryIO) -> Iterator[bytes]:
    """What a zlib or gzip stream unpacks to; zlib compares its checksum where it ends.

    gzip members that follow one another are one stream; whatever else follows is none of it.
    """
    packed = b""
    while True:
        member = zlib.decompressobj(_ZLIB_OR_GZIP)
        while not member.eof:
            packed = packed or file.read(_BLOCK_BYTES)
            block = member.decompress(packed, _BLOCK_BYTES)
            if not packed and not block:
                raise EOFError
            yield block
            packed = member.unconsumed_tail
        packed = member.unused_data + file.read(len(_GZIP_MAGIC))
        if not packed.startswith(_GZIP_MAGIC):
            return


def _from_bzip2(file: BinaryIO) -> Iterator[bytes]:
    """What a bzip2 stream, or several that follow one another, unpack to; bz2 compares the checksums."""
    with bz2.BZ2File(file) as unpacked:
        first = unpacked.read(1)
        if not first:
            raise EOFError
        yield from chain([first], iter(lambda: unpacked.read(_BLOCK_BYTES), b""))
