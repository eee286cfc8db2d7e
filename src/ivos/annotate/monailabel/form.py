"""What a plug-in sends: parameters and a file, as multipart."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from ivos.annotate.monailabel.messages import Parameters
from ivos.annotate.monailabel.parts import Parts
from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.requests import Request


@dataclass(frozen=True)
class SentFile:
    """A file of a request.

    Attributes:
        name: that it had, without folders.
        path: where it is.
    """

    name: str
    path: Path


@dataclass(frozen=True)
class Form:
    """A request.

    Attributes:
        parameters: of the field ``params``.
        file: None where none was sent.
    """

    parameters: Parameters
    file: SentFile | None

    @property
    def sent(self) -> SentFile:
        """The file of a request that has to have one.

        Raises:
            InputError: it has none.
        """
        if self.file is None:
            raise InputError("no file came with the request, or under another field's name; send it again")
        return self.file


@asynccontextmanager
async def form_of(request: Request, field: str, folder: Path) -> AsyncIterator[Form]:
    """A request's form, whose file is gone when the block ends, unless it has been moved.

    Args:
        request: whose body was not read yet.
        field: name of the field that holds the file.
        folder: to put the file into.

    Raises:
        InputError: it is damaged, or the parameters are not what they should be.
    """
    parts = Parts(field, folder)
    try:
        await parts.receive(request)
        file = None if parts.path is None else SentFile(parts.name, parts.path)
        yield Form(_parameters(bytes(parts.parameters)), file)
    finally:
        parts.drop()


def _parameters(text: bytes) -> Parameters:
    if not text:
        return Parameters()
    try:
        return Parameters.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in ("params", *first["loc"]))[:200]
        raise InputError(f"{where}: {first['msg']}") from error
