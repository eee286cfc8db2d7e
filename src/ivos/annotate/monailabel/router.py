"""The addresses of MONAI Label at the server's root."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from ivos.annotate.monailabel import datastore, infer, info
from ivos.annotate.monailabel.login import login_router

if TYPE_CHECKING:
    from ivos.annotate.server.security import Access


def monailabel_router(access: Access) -> APIRouter:
    """All of them.

    Args:
        access: who may use the server.
    """
    router = APIRouter(tags=["MONAI Label"])
    for part in (info.router, datastore.router, infer.router, login_router(access)):
        router.include_router(part)
    return router
