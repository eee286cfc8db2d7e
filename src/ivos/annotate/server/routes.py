"""The addresses under /api/scans."""

from __future__ import annotations

import getpass
from contextlib import ExitStack
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Body, Depends, Query, Request
from fastapi import Path as InPath
from fastapi.responses import FileResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from ivos.annotate.messages import (
    Action,
    AxisName,
    Budget,
    Done,
    ExportFormat,
    Job,
    Memory,
    Pause,
    Problem,
    Propagate,
    Scan,
    ScanSummary,
    SliceRange,
    StateChange,
    Suggested,
)
from ivos.annotate.server.security import is_loopback
from ivos.annotate.server.service import Service, summary
from ivos.annotate.server.uploads import received
from ivos.errors import InputError

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": HTTPStatus(status).phrase}
    for status in (400, 401, 403, 404, 409, 413, 422, 503, 507)
}
_FILE = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}
_BINARY: dict[int | str, dict[str, Any]] = {
    200: {"description": "Voxels", "content": {"application/octet-stream": {}}},
    **_PROBLEMS,
}

router = APIRouter(prefix="/api/scans", responses=_PROBLEMS)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _who(request: Request) -> str:
    """Who asks, as far as it is known: whoever runs the server, or where from."""
    host = request.client.host if request.client is not None else ""
    if host and not is_loopback(host):
        return host
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name
        return "local"


Here = Annotated[Service, Depends(_service)]
Who = Annotated[str, Depends(_who)]
ScanId = Annotated[str, InPath(pattern="^[0-9a-f]{12}$")]


@router.get("")
def work_list(service: Here) -> list[ScanSummary]:
    """The scans that there are."""
    return [summary(kept) for kept in service.store.scans()]


@router.post("", openapi_extra=_FILE)
async def upload_scan(request: Request, service: Here) -> ScanSummary:
    """Add a scan: NIfTI, NRRD, or a zip file of a DICOM series."""
    name, path = await received(request, service.uploads)
    return await run_in_threadpool(service.add_upload, name, path)


@router.get("/{scan}")
def show(scan: ScanId, service: Here) -> Scan:
    """A scan and how far the work on it is."""
    return service.sessions.within(scan, lambda opened: opened.message())


@router.put("/{scan}/state")
def set_state(scan: ScanId, change: StateChange, service: Here, who: Who) -> ScanSummary:
    """Say how far a scan is."""
    service.store.scan(scan)
    service.store.set_state(scan, change.state, who)
    service.sessions.tell_if_open(scan)
    return summary(service.store.scan(scan))


@router.get("/{scan}/image.nii.gz", response_class=FileResponse, responses=_BINARY)
def image(scan: ScanId, service: Here) -> FileResponse:
    """The scan's intensities, in canonical orientation."""
    return FileResponse(service.image(scan), media_type="application/gzip")


@router.get("/{scan}/labels", response_class=Response, responses=_BINARY)
def labels(
    scan: ScanId,
    service: Here,
    axis: Annotated[AxisName | None, Query()] = None,
    first: Annotated[int | None, Query(ge=0)] = None,
    last: Annotated[int | None, Query(ge=0)] = None,
) -> Response:
    """Label ids of all voxels, or of some slices."""
    given = (axis, first, last)
    if None in given and any(part is not None for part in given):
        raise InputError("slices of labels: give axis, first and last, or none of them for all")
    slices = None
    if axis is not None and first is not None and last is not None:
        slices = SliceRange(axis=axis, first=first, last=last)
    voxels = service.sessions.within(scan, lambda opened: opened.labels(slices))
    return Response(voxels.body, media_type="application/octet-stream", headers=voxels.headers)


@router.post("/{scan}/labels", openapi_extra=_FILE)
async def load_labels(
    scan: ScanId, request: Request, service: Here, who: Who, drawn: Annotated[bool, Query()] = False
) -> Done:
    """Take masks of slices, or of the whole scan, on its grid."""
    service.store.scan(scan)
    name, path = await received(request, service.uploads)
    return await run_in_threadpool(service.load, scan, name, path, who, drawn=drawn)


@router.get("/{scan}/uncertainty", response_class=Response, responses=_BINARY)
def uncertainty(scan: ScanId, service: Here) -> Response:
    """How unsure each voxel's label is, 0 to 255."""
    voxels = service.sessions.within(scan, lambda opened: opened.uncertainty())
    return Response(voxels.body, media_type="application/octet-stream", headers=voxels.headers)


@router.post("/{scan}/actions")
def act(scan: ScanId, action: Annotated[Action, Body()], service: Here, who: Who) -> Done:
    """Do one thing; it is on the disk when this is answered."""
    return service.sessions.within(scan, lambda opened: opened.act(action, who))


@router.post("/{scan}/propagation", status_code=202)
def propagate(scan: ScanId, asked: Propagate, service: Here, who: Who) -> Job:
    """Carry what is drawn over other slices."""
    return service.sessions.within(scan, lambda opened: opened.propagate(asked, who))


@router.put("/{scan}/propagation")
def pause(scan: ScanId, asked: Pause, service: Here) -> Job:
    """Pause what runs, or let it go on."""
    return service.sessions.within(scan, lambda opened: opened.pause(paused=asked.paused))


@router.delete("/{scan}/propagation")
def stop(scan: ScanId, service: Here) -> Job:
    """End what runs; finished slices stay."""
    return service.sessions.within(scan, lambda opened: opened.stop())


@router.post("/{scan}/find", status_code=202)
def find(scan: ScanId, service: Here, who: Who) -> Job:
    """Have reference networks look for organs."""
    return service.find(scan, who)


@router.get("/{scan}/suggestions")
def suggestions(scan: ScanId, service: Here, axis: Annotated[AxisName, Query()] = "axial") -> list[Suggested]:
    """Which slices to draw next."""
    return service.sessions.within(scan, lambda opened: opened.suggestions(axis))


@router.get("/{scan}/events", response_class=StreamingResponse, responses=_PROBLEMS)
async def events(scan: ScanId, service: Here) -> StreamingResponse:
    """What happens in a scan, as server-sent events."""
    service.store.scan(scan)
    headers = {"X-Accel-Buffering": "no"}  # or a proxy keeps events back
    return StreamingResponse(service.events.stream(scan), media_type="text/event-stream", headers=headers)


@router.delete("/{scan}/memory")
def clear_memory(scan: ScanId, service: Here) -> Memory:
    """Let go of what can be had again."""
    service.clear_memory(scan)
    return service.sessions.within(scan, lambda opened: opened.message().memory)


@router.put("/{scan}/memory")
def set_budget(scan: ScanId, budget: Budget, service: Here) -> Memory:
    """State what open scans may take in memory."""
    service.sessions.within(scan, lambda _: service.sessions.set_budget(budget.budget_bytes, spared=scan))
    return service.sessions.within(scan, lambda opened: opened.message().memory)


@router.get("/{scan}/export", response_class=FileResponse, responses=_BINARY)
def export(
    scan: ScanId, service: Here, after: BackgroundTasks, kind: Annotated[ExportFormat, Query(alias="format")]
) -> FileResponse:
    """Labels or the journal as a file."""
    with ExitStack() as stack:
        name, path = stack.enter_context(service.exported(scan, kind))
        after.add_task(stack.pop_all().close)  # once it is sent
    return FileResponse(path, filename=name)
