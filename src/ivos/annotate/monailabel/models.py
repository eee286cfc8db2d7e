"""What plug-ins may have done with a scan, and what they are told of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ivos.annotate.errors import ConflictError, NotFoundError
from ivos.annotate.monailabel import clicks, scribbles
from ivos.annotate.monailabel.images import scan_of
from ivos.annotate.monailabel.label_files import labels_in, names_in
from ivos.annotate.monailabel.scribbles import Drawn, name_of_structure
from ivos.annotate.monailabel.vocabulary import ids_in, usual_ids
from ivos.types import Axis

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivos.annotate.monailabel.form import Form
    from ivos.annotate.monailabel.given import Given
    from ivos.annotate.server.service import Service
    from ivos.annotate.session.jobs import Running
    from ivos.types import BoolArray
    from ivos.volume.volume import Volume

PROPAGATION, CLICK, ORGANS = "propagation", "click", "organs"

_LOOK_EVERY_S = 0.02


@dataclass(frozen=True)
class Result:
    """What a model has made.

    Attributes:
        labels: on the scan's grid.
        names: label ids in it, by name.
    """

    labels: Volume
    names: Mapping[str, int]


def described(*, finds: bool) -> dict[str, dict[str, Any]]:
    """The models by name, as plug-ins are told of them.

    They name no labels: the plug-in for Slicer runs a model that names some by itself on every image that it opens,
    of whichever type it is, and its guesses would take the place of what is there.

    Args:
        finds: whether reference networks are there.
    """
    models: dict[str, dict[str, Any]] = {
        PROPAGATION: {
            "type": "scribbles",
            "labels": [],
            "dimension": 3,
            "description": "Carries what is drawn on some slices, or scribbled, over the scan",
            "config": {"axis": [axis.plane for axis in Axis]},
        },
        CLICK: {
            "type": "deepgrow",
            "labels": [],
            "dimension": 2,
            "description": "A structure on a slice from points in it and outside of it",
        },
    }
    if finds:
        models[ORGANS] = {
            "type": "segmentation",
            "labels": [],
            "dimension": 3,
            "description": "Finds organs by reference networks and propagation",
        }
    return models


def run(service: Service, model: str, image: str, form: Form, given: Given, who: str) -> Result:
    """Have a model do its work, and wait for it.

    Args:
        service: of the work folder.
        model: its name.
        image: what the plug-in calls the scan.
        form: parameters, and labels for models that take them.
        given: what was answered before.
        who: asked for it.

    Raises:
        NotThereError: there is no such model, or image.
        ConflictError: something else runs, or it was stopped.
        InputError: it cannot be done.
    """
    scan = scan_of(service, image).id
    match model:
        case "propagation":
            return _propagated(service, scan, form, given, who)
        case "click":
            return _clicked(service, scan, form, given, who)
        case "organs":
            return _found(service, scan, given, who)
    raise NotFoundError(f"model '{model[:40]}': there is none; take one of {', '.join(described(finds=True))}")


def _propagated(service: Service, scan: str, form: Form, given: Given, who: str) -> Result:
    asked, volume = form.parameters, service.sessions.within(scan, lambda opened: opened.volume)
    labels, numbers = labels_in(form.sent, volume, asked.label_info)
    name = name_of_structure(asked, numbers)
    drawn, usual = Drawn.of(labels.array, numbers, name), usual_ids(service)
    structure, job = service.sessions.within(
        scan, lambda opened: scribbles.carry(opened, drawn, name, asked.axis, usual, given, who)
    )
    _wait(job)
    there = service.sessions.within(scan, lambda opened: opened.named_labels().array == structure)
    given.keep(scan, structure, there)
    return _of_one(volume, there, name)


def _clicked(service: Service, scan: str, form: Form, given: Given, who: str) -> Result:
    asked, usual = form.parameters, usual_ids(service)
    there = service.sessions.within(scan, lambda opened: clicks.click(opened, asked, usual, given, who))
    volume = service.sessions.within(scan, lambda opened: opened.volume)
    return _of_one(volume, there, asked.label or "")


def _found(service: Service, scan: str, given: Given, who: str) -> Result:
    service.find(scan, who)
    _wait(service.sessions.within(scan, lambda opened: opened.job))
    labels, ids = service.sessions.within(scan, lambda opened: (opened.named_labels(), ids_in(opened)))
    names = names_in(labels.array, ids)
    if not names:
        raise ConflictError("no organs were found, or finding them failed: the page and the server's log say why")
    for structure in names.values():
        given.keep(scan, structure, labels.array == structure)
    return Result(labels, names)


def _of_one(volume: Volume, there: BoolArray, name: str) -> Result:
    return Result(volume.with_array(there.astype(np.uint8)), {name: 1} if there.any() else {})


def _wait(job: Running | None) -> None:
    """Wait until a job has ended.

    Raises:
        ConflictError: it did not come to its end.
    """
    while job is not None and not job.over:  # read only, so outside of the worker
        time.sleep(_LOOK_EVERY_S)
    if job is not None and job.message.state != "done":
        raise ConflictError(f"this was {job.message.state} before its end: the page shows what there is, and says why")
