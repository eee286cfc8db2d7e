"""The application on a port of this machine, until somebody ends it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import uvicorn

from ivos.annotate.server.app import create_app
from ivos.errors import InputError

if TYPE_CHECKING:
    from types import FrameType

    from ivos.annotate.server.security import Access
    from ivos.annotate.server.service import Service

_PATIENCE_S = 5  # for what is being answered when the server is told to end


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 takes a free one.

    Raises:
        InputError: it is taken, not allowed, or the host is not this machine's.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        server = socket.create_server((host, port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        raise InputError(f"{host}, port {port}: cannot listen: {error}; choose another --port or --host") from error
    return server


def address_of(server: socket.socket, host: str) -> str:
    """Where a browser finds it."""
    shown = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)  # noqa: S104 - compared
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{server.getsockname()[1]}/"


def serve(server: socket.socket, service: Service, access: Access) -> None:
    """Answer until Ctrl-C or SIGTERM, then end what runs and let go of the work folder."""
    config = uvicorn.Config(
        create_app(service, access),
        log_level="warning",
        access_log=False,  # addresses name scans, and those may name patients
        server_header=False,
        timeout_graceful_shutdown=_PATIENCE_S,
        ws="none",
    )
    _Server(config, service).run(sockets=[server])


class _Server(uvicorn.Server):
    """Ends the event streams first: as long as anyone listens, the others are waited for in vain."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._service.events.close()
        super().handle_exit(sig, frame)
