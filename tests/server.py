"""A server on this machine that has files, resumes, and misbehaves on request."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Site:
    """What a server has and does.

    Attributes:
        files: contents by name.
        address: of the server.
        cut_after: bytes of an answer's body after which it hangs up.
        resumes: whether it sends what is left of a file, or always all of it.
        kind: of what it sends.
        asked: the name and range of every request.
    """

    files: dict[str, bytes]
    address: str = ""
    cut_after: int | None = None
    resumes: bool = True
    kind: str = "application/octet-stream"
    asked: list[tuple[str, str | None]] = field(default_factory=list)


@contextmanager
def serving(**files: bytes) -> Iterator[Site]:
    """A running server of such files; ``_`` in a name stands for a dot."""
    site = Site({name.replace("_", "."): content for name, content in files.items()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(site))
    site.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name, wanted = unquote(self.path.removeprefix("/")), self.headers["Range"]
            site.asked.append((name, wanted))
            if name not in site.files:
                self.send_error(404)
                return
            content = site.files[name]
            begin = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and site.resumes else 0
            if begin and begin >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if begin else 200)
            if begin:
                self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Type", site.kind)
            self.send_header("Content-Length", str(len(content) - begin))
            self.end_headers()
            self.wfile.write(content[begin:][: site.cut_after])

        def log_message(self, *_: object) -> None:
            pass

    return Handler
