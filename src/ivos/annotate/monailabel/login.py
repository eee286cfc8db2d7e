"""``/auth/``: how plug-ins that can log in show the server's token. It is the password; the user's name is nobody's."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from ivos.annotate.server.security import Access

_MOST_FIELDS = 20


def login_router(access: Access) -> APIRouter:
    """The addresses under ``/auth``.

    Args:
        access: who may use the server.
    """
    router = APIRouter()

    @router.get("/auth/")
    def auth() -> dict[str, bool]:
        """Whether a token is needed."""
        return {"enabled": access.token is not None}

    @router.post("/auth/token")
    async def token(request: Request, response: Response) -> dict[str, Any]:
        """The token back, in the form in which plug-ins send it along from then on."""
        if not access.lets_in(_password(await request.body())):
            raise HTTPException(
                HTTPStatus.UNAUTHORIZED, "not the token that the server has printed: give it as password"
            )
        response.headers["Cache-Control"] = "no-store"
        return {"access_token": access.token or "", "token_type": "bearer"}

    @router.get("/auth/token/valid")
    def valid() -> dict[str, bool]:
        """A request without the token does not come this far."""
        return {"valid": True}

    return router


def _password(body: bytes) -> str | None:
    """Of a form that is encoded as in an address."""
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=_MOST_FIELDS)
    except ValueError:
        return None
    return fields.get("password", [None])[0]
