"""The server as a FastAPI application."""

from __future__ import annotations

import errno
import logging
import sqlite3
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from ivos.annotate.errors import RefusedError
from ivos.annotate.monailabel.router import monailabel_router
from ivos.annotate.server.routes import router
from ivos.annotate.server.security import Guard
from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ivos.annotate.server.security import Access
    from ivos.annotate.server.service import Service

logger = logging.getLogger(__name__)

PAGE = Path(str(files("ivos.annotate").joinpath("page")))
"""What ``/`` shows: built from ``web/``."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def create_app(service: Service, access: Access) -> FastAPI:
    """The application of an open work folder, which it closes when it ends.

    Args:
        service: what it stands before.
        access: who may use it.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(
        title="ivos annotate",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.state.service = service
    app.include_router(router)
    app.include_router(monailabel_router(access))
    app.add_exception_handler(InputError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OSError, _failed)
    app.add_exception_handler(MemoryError, _failed)
    app.add_exception_handler(sqlite3.Error, _failed)
    app.add_middleware(Guard, access=access)
    if PAGE.is_dir():
        app.mount("/", StaticFiles(directory=PAGE, html=True))
    return app


def _line(status: int, line: str, headers: Any = None) -> JSONResponse:
    return JSONResponse({"detail": " ".join(line.split())}, status, headers)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    status = error.status if isinstance(error, RefusedError) else HTTPStatus.BAD_REQUEST
    return _line(status, str(error))


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """The first thing that is wrong with a request, and how many more there are."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    first = found[0] if found else {"loc": (), "msg": "not what is expected here"}
    where = ".".join(str(part) for part in first["loc"])[:200]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return _line(HTTPStatus.UNPROCESSABLE_ENTITY, f"{where}: {first['msg']}{more}")


async def _http(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    return _line(error.status_code, str(error.detail), error.headers)


async def _failed(_: Request, error: Exception) -> JSONResponse:
    """What the machine cannot do now."""
    if isinstance(error, MemoryError):
        return _line(HTTPStatus.SERVICE_UNAVAILABLE, "there is not enough memory for this: clear some, or close scans")
    if getattr(error, "errno", None) in _NO_ROOM:
        return _line(HTTPStatus.INSUFFICIENT_STORAGE, "the disk of the work folder is full: make room, and do it again")
    logger.error("a request failed: %s", type(error).__name__)  # not its text: names of files may name patients
    return _line(HTTPStatus.SERVICE_UNAVAILABLE, f"the work folder or the scan cannot be used: {type(error).__name__}")
