"""``/info/`` and ``/train/``: what there is, and that nothing is trained here."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import APIRouter

from ivos.annotate.errors import NotFoundError
from ivos.annotate.monailabel.models import described
from ivos.annotate.monailabel.vocabulary import at_hand
from ivos.annotate.monailabel.worklist import counts
from ivos.annotate.server.routes import Here  # noqa: TC001 - FastAPI reads annotations

SUGGEST = "suggest"
"""The one strategy of active learning: the work list's order, and the slices that ivos suggests."""

router = APIRouter()


@router.get("/info")
@router.get("/info/")
def info(service: Here) -> dict[str, Any]:
    """What plug-ins ask first. It has no ``config``: for them that is the mark of a server that is too old."""
    scan = at_hand(service)
    return {
        "name": "ivos",
        "description": "Annotate a few slices, get the volume",
        "version": version("ivos"),
        "labels": [] if scan is None else [structure.name for structure in scan.structures],
        "models": described(finds=scan is not None and scan.reference),
        "trainers": {},
        "strategies": {SUGGEST: {"description": "The next scan that is not done, and which slices to draw in it"}},
        "scoring": {},
        "train_stats": {},
        "datastore": counts(service),
    }


@router.get("/train")
@router.get("/train/")
@router.post("/train/")
@router.post("/train/{model}")
@router.delete("/train/")
def train() -> None:
    """Plug-ins ask whether training goes on; 404 is their no."""
    raise NotFoundError("nothing is trained here: train with 'ivos train', and start with --reference and its weights")
