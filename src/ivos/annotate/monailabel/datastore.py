"""``/datastore/`` and ``/session/``: images and labels, down and up."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, BackgroundTasks, Query, Request
from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool

from ivos.annotate.errors import NotFoundError
from ivos.annotate.monailabel.form import form_of
from ivos.annotate.monailabel.given import WasGiven  # noqa: TC001 - FastAPI reads annotations
from ivos.annotate.monailabel.images import add_image, add_unnamed, image_file, image_name, scan_of
from ivos.annotate.monailabel.label_files import labels_in
from ivos.annotate.monailabel.saving import save
from ivos.annotate.monailabel.vocabulary import usual_ids
from ivos.annotate.monailabel.worklist import FINAL, counts, objects, tag_of
from ivos.annotate.server.routes import Here, Who  # noqa: TC001

if TYPE_CHECKING:
    from ivos.annotate.monailabel.form import Form
    from ivos.annotate.monailabel.given import Given
    from ivos.annotate.server.service import Service

Image = Annotated[str, Query(min_length=1, max_length=1000)]

router = APIRouter()


def multipart(field: str) -> dict[str, Any]:
    """The description of a request that has a file in a field."""
    file = {"type": "string", "format": "binary"}
    schema = {"type": "object", "properties": {field: file, "params": {"type": "string"}}}
    return {"requestBody": {"content": {"multipart/form-data": {"schema": schema}}}}


@router.get("/datastore/")
def datastore(service: Here, output: Literal["stats", "all"] = "stats") -> dict[str, Any]:
    """How many images there are, or all of them with their labels."""
    if output == "stats":
        return counts(service)
    return {"name": "ivos", "description": "The work list of ivos annotate", "objects": objects(service)}


@router.put("/datastore/", openapi_extra=multipart("file"))
@router.put("/datastore/image", openapi_extra=multipart("file"))
async def put_image(request: Request, service: Here, image: Image) -> dict[str, str]:
    """Add a scan under the name that the plug-in has for it."""
    async with form_of(request, "file", service.uploads) as form:
        await run_in_threadpool(add_image, service, image, form.sent)
    return {"image": image}


@router.get("/datastore/image", response_class=FileResponse)
def get_image(service: Here, image: Image) -> FileResponse:
    """A scan's intensities, on its own grid."""
    kept = scan_of(service, image)
    path = image_file(service, kept)
    return FileResponse(path, media_type="application/octet-stream", filename=image_name(kept))


@router.put("/datastore/label", openapi_extra=multipart("label"))
async def put_label(
    request: Request, service: Here, given: WasGiven, who: Who, image: Image, tag: str = FINAL
) -> dict[str, str]:
    """Take a finished label volume: what it says of its segments holds, and the scan is done."""
    async with form_of(request, "label", service.uploads) as form:
        return await run_in_threadpool(_save, service, image, form, tag or FINAL, given, who)


@router.get("/datastore/label", response_class=FileResponse)
def get_label(service: Here, after: BackgroundTasks, label: Image) -> FileResponse:
    """The labels of a scan, on its own grid."""
    kept = scan_of(service, label)
    if tag_of(kept) is None:
        raise NotFoundError(f"label '{kept.name}': nothing is labelled there yet")
    with ExitStack() as stack:
        _, path = stack.enter_context(service.exported(kept.id, "nifti"))
        after.add_task(stack.pop_all().close)  # once it is sent
    return FileResponse(path, media_type="application/octet-stream", filename=f"{kept.id}.nii.gz")


@router.put("/session/", openapi_extra=multipart("files"))
async def begin_session(request: Request, service: Here) -> dict[str, Any]:
    """Take a scan that has no name yet."""
    async with form_of(request, "files", service.uploads) as form:
        kept = await run_in_threadpool(add_unnamed, service, form.sent)
    return _session(kept.id)


@router.get("/session/{session}")
def get_session(service: Here, session: str) -> dict[str, Any]:
    """Whether a session is there."""
    return _session(service.store.scan(session).id)


@router.delete("/session/{session}")
def end_session(service: Here, session: str) -> dict[str, Any]:
    """Plug-ins end sessions; the scan and the work on it stay."""
    return _session(service.store.scan(session).id)


def _session(scan: str) -> dict[str, Any]:
    return {"session_id": scan, "session_info": {"name": scan, "image": scan}}


def _save(service: Service, image: str, form: Form, tag: str, given: Given, who: str) -> dict[str, str]:
    kept, sent = scan_of(service, image), form.sent
    volume = service.sessions.within(kept.id, lambda opened: opened.volume)
    labels, numbers = labels_in(sent, volume, form.parameters.label_info)
    usual = usual_ids(service)
    service.sessions.within(kept.id, lambda opened: save(opened, labels, numbers, usual, given, who, source=sent.name))
    if tag == FINAL:
        service.store.set_state(kept.id, "done", who)
        service.sessions.tell_if_open(kept.id)
    return {"image": image, "label": image}
