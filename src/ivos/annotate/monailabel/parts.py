"""The parts of a multipart request, taken piece by piece as they come."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from ivos.annotate.errors import TooLargeError
from ivos.annotate.server.uploads import safe_name
from ivos.errors import InputError
from ivos.files import suffix_of

if TYPE_CHECKING:
    from starlette.requests import Request

_MOST_PARAMETERS_BYTES = 2**20


class Parts:
    """Keeps one file, which is written as it comes, and the field ``params``; other fields are passed over.

    Args:
        field: name of the file's field.
        folder: to put the file into, under a name of our own.

    Attributes:
        name: that the file had, without folders.
        path: where it is; None where none came.
        parameters: as they came.
    """

    def __init__(self, field: str, folder: Path) -> None:
        self._field, self._folder = field.encode(), folder
        self.name, self.parameters = "", bytearray()
        self.path: Path | None = None
        self._out: BinaryIO | None = None
        self._header = (bytearray(), bytearray())
        self._disposition = b""
        self._in_parameters = self._ended = False

    async def receive(self, request: Request) -> None:
        """Take a request's body.

        Raises:
            InputError: it is no multipart, damaged, cut off, or has several files.
            TooLargeError: its parameters are too long.
        """
        kind, options = parse_options_header(request.headers.get("content-type", ""))
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise InputError("send the request as multipart/form-data")
        try:
            parser = MultipartParser(options[b"boundary"], self._callbacks, max_size=float("inf"))
            async for piece in request.stream():
                if piece:
                    parser.write(piece)
            parser.finalize()
        except MultipartParseError as error:
            raise InputError("the request is damaged; send it again") from error
        finally:
            self._end_part()
        if not self._ended:
            raise InputError("the request was cut off; send it again")

    def drop(self) -> None:
        """Leave nothing behind."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    @property
    def _callbacks(self) -> Any:
        field, value = self._header
        return {
            "on_header_field": lambda data, start, end: field.extend(data[start:end]),
            "on_header_value": lambda data, start, end: value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._begin_part,
            "on_part_data": lambda data, start, end: self._take(data[start:end]),
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def _end_header(self) -> None:
        field, value = self._header
        if field.lower() == b"content-disposition":
            self._disposition = bytes(value)
        field.clear()
        value.clear()

    def _begin_part(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._disposition = b""
        name, file = options.get(b"name"), options.get(b"filename")
        self._in_parameters = name == b"params" and file is None
        if name != self._field or file is None:
            return
        if self.path is not None:
            raise InputError("several files at once: send one after the other")
        self.name = safe_name(file.decode("utf-8", "replace"))
        self.path = self._folder / f"{secrets.token_hex(8)}{suffix_of(Path(self.name))}"
        self._out = self.path.open("xb")

    def _take(self, data: bytes) -> None:
        if self._out is not None:
            self._out.write(data)
        elif self._in_parameters:
            self.parameters += data
            if len(self.parameters) > _MOST_PARAMETERS_BYTES:
                raise TooLargeError(f"params: at most {_MOST_PARAMETERS_BYTES:,} bytes")

    def _end_part(self) -> None:
        self._in_parameters = False
        if self._out is not None:
            self._out.close()
            self._out = None

    def _end(self) -> None:
        self._ended = True
