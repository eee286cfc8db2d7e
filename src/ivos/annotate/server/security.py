"""Who may ask, from where, and for how much: checked before anything else is looked at."""

from __future__ import annotations

import ipaddress
import json
import re
import secrets
import socket
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from ivos.errors import InputError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "ivos_token"
JSON_LIMIT_BYTES = 32 * 2**20
UPLOAD_LIMIT_BYTES = 4 * 2**30
LOGIN_LIMIT_BYTES = 2**12
_LONGEST_NUMBER = 15  # digits

_LOGIN = ("/auth/", "/auth/token")
"""Where plug-ins ask whether a token is needed, and show it as a password: asked without one."""

_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_HELLO = b'<!doctype html><meta http-equiv="refresh" content="0; url=./"><title>ivos</title>'


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that is bound to a host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Access:
    """Who may use the server.

    Attributes:
        host: that it is bound to.
        token: that has to be shown; None for nobody's.
        public: the address under which a proxy shows it, like ``https://annotate.example.org``; None for no proxy.
    """

    host: str
    token: str | None
    public: str | None = None

    @staticmethod
    def to(host: str, token: str | None, public: str | None) -> Access:
        """With a token made up where one is needed and none given: for all but this machine alone.

        Raises:
            InputError: a token too short to keep anybody out, or no address.
        """
        if token is not None and not re.fullmatch(r"[A-Za-z0-9_-]{16,200}", token):
            raise InputError("--token: give 16 to 200 letters, digits, - or _, or leave it out and one is made up")
        if public is not None and (urlsplit(public).scheme not in ("http", "https") or not urlsplit(public).hostname):
            raise InputError(f"--public {public}: give the whole address, like https://annotate.example.org")
        if token is None and (not is_loopback(host) or public is not None):
            token = secrets.token_urlsafe(24)
        return Access(host, token, public)

    def knows_host(self, host: str) -> bool:
        """Whether a request for this Host is for us.

        A page of another site can make its own name lead to us, but not to an address of numbers: those are ours.
        """
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if self.public is not None and host == urlsplit(self.public).netloc:
            return True
        if is_loopback(name):
            return True
        if is_loopback(self.host):
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in {self.host.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}
        return True

    def knows_origin(self, origin: str, host: str) -> bool:
        """Whether a page from this Origin is ours."""
        if self.public is not None and origin == self.public.rstrip("/"):
            return True
        return origin in (f"http://{host}", f"https://{host}")

    def lets_in(self, shown: str | None) -> bool:
        """Whether this is the token."""
        if self.token is None:
            return True
        return shown is not None and secrets.compare_digest(shown.encode(), self.token.encode())


class Guard:
    """Refuses requests before the application sees them, and adds the headers that keep its page to itself.

    Args:
        app: what is guarded.
        access: who may use it.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no websockets here
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        send = _with_headers(send, api=scope["path"].startswith("/api"))
        refused = self._refusal(scope, headers)
        if refused is not None:
            await _answer(send, *refused)
            return
        if scope["path"] == "/" and self._greets(scope):
            await self._welcome(send)
            return
        await self._app(scope, _limited(receive, headers, scope), send)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        """The status and line of a request that is not for us, or not from us."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._access.knows_host(host):
            return (
                403,
                "this Host is not this server's; open it under the address that it has printed, or give --public",
            )
        if origin is not None and not self._access.knows_origin(origin, host):
            return 403, "another site's page asks; only the server's own page may"
        if headers.get("sec-fetch-site") == "cross-site" and scope["path"] != "/":
            return 403, "another site's page asks; only the server's own page may"
        greeted = scope["path"] in _LOGIN or (scope["path"] == "/" and self._greets(scope))
        if not self._access.lets_in(_shown(headers)) and not greeted:
            return 401, "a token is needed: open the address with the token that the server has printed"
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            return 400, "Content-Length is no number"
        if len(length) > _LONGEST_NUMBER or int(length) > _limit(scope):
            return 413, f"too many bytes: at most {_limit(scope):,} here"
        return None

    def _greets(self, scope: Scope) -> bool:
        """Whether the address has the token in it."""
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        return self._access.token is not None and bool(given) and self._access.lets_in(given[0])

    async def _welcome(self, send: Send) -> None:
        """Leave the token with the browser, and have it load the page without.

        The page is loaded by ourselves, not by a redirect: a cookie that is sent to our own pages alone does not come
        with a redirect from a link in another site's page.
        """
        secure = "; Secure" if (self._access.public or "").startswith("https") else ""
        cookie = f"{COOKIE}={self._access.token}; Path=/; HttpOnly; SameSite=Strict{secure}"
        headers = [(b"content-type", b"text/html"), (b"set-cookie", cookie.encode()), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": _HELLO})


def _shown(headers: dict[str, str]) -> str | None:
    """The token of a request."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and token:
        return token.strip()
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return None if cookie is None else cookie.value


def _limit(scope: Scope) -> int:
    """How many bytes a request may have."""
    parts = scope["path"].strip("/").split("/")
    if parts[0] == "auth":
        return LOGIN_LIMIT_BYTES
    uploads = (
        scope["method"] == "POST" and parts[:2] == ["api", "scans"] and (len(parts) == 2 or parts[3:] == ["labels"])
    ) or (scope["method"], parts[0]) in (("PUT", "datastore"), ("PUT", "session"), ("POST", "infer"))
    return UPLOAD_LIMIT_BYTES if uploads else JSON_LIMIT_BYTES


def _limited(receive: Receive, headers: dict[str, str], scope: Scope) -> Receive:
    """The request's body, which ends where it is longer than it may be, whatever it says of itself."""
    if "content-length" in headers:
        return receive  # the server reads no more than that
    left, limit = _limit(scope), _limit(scope)

    async def counted() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            from starlette.exceptions import HTTPException

            raise HTTPException(413, f"too many bytes: at most {limit:,} here")
        return message

    return counted


def _with_headers(send: Send, *, api: bool) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_HEADERS]
            if api:
                message["headers"].append((b"cache-control", b"no-store"))
        await send(message)

    return sending


async def _answer(send: Send, status: int, line: str) -> None:
    body = json.dumps({"detail": line}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
