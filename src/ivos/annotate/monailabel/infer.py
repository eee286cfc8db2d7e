"""``/infer/`` and ``/activelearning/``: have a model do its work; what to work on next."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from ivos.annotate.errors import NotFoundError
from ivos.annotate.monailabel.answers import answer
from ivos.annotate.monailabel.datastore import multipart
from ivos.annotate.monailabel.form import form_of
from ivos.annotate.monailabel.given import WasGiven  # noqa: TC001 - FastAPI reads annotations
from ivos.annotate.monailabel.info import SUGGEST
from ivos.annotate.monailabel.messages import Output  # noqa: TC001
from ivos.annotate.monailabel.models import run
from ivos.annotate.monailabel.worklist import next_readable_scan, nothing_left, sample
from ivos.annotate.server.routes import Here, Who  # noqa: TC001

router = APIRouter()

Id = Annotated[str, Query(max_length=1000)]


@router.post("/infer/{model}", response_class=Response, openapi_extra=multipart("label"))
async def infer(
    request: Request,
    service: Here,
    given: WasGiven,
    who: Who,
    model: str,
    image: Id = "",
    session_id: Id = "",
    output: Output = "all",
) -> Response:
    """Have a model do its work with an image, or with that of a session."""
    async with form_of(request, "label", service.uploads) as form:
        result = await run_in_threadpool(run, service, model, session_id or image, form, given, who)
        return await run_in_threadpool(answer, result, form.parameters, output, service.uploads)


@router.post("/activelearning/{strategy}")
def next_sample(service: Here, strategy: str) -> dict[str, Any]:
    """The image to work on next; a message alone when nothing is left that can be."""
    if strategy != SUGGEST:
        raise NotFoundError(f"strategy '{strategy[:40]}': there is none; take '{SUGGEST}'")
    kept = next_readable_scan(service)
    return nothing_left(service) if kept is None else sample(service, kept)
