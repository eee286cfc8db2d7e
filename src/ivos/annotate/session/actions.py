"""What a page asks for, done in a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivos.annotate import messages
from ivos.annotate.session.masks import colour_of, inside, lines, unpacked
from ivos.errors import InputError
from ivos.interactive.validation import HIGHEST_STRUCTURE
from ivos.types import Axis

if TYPE_CHECKING:
    from ivos.annotate.messages import Action, AxisName
    from ivos.interactive.session import InteractiveSession


def perform(session: InteractiveSession, action: Action) -> None:
    """Do it.

    Raises:
        InputError: it cannot be done; nothing was changed.
    """
    match action:
        case messages.Add():
            structure = _free_id(session) if action.id is None else action.id
            session.add(structure, action.name, None if action.colour is None else colour_of(action.colour))
        case messages.Rename():
            colour = None if action.colour is None else colour_of(action.colour)
            session.rename(action.structure, action.name, colour)
        case messages.OnStructure(do="remove"):
            session.remove(action.structure)
        case messages.OnStructure(do="lock"):
            session.commit(action.structure)
        case messages.OnStructure():
            session.release(action.structure)
        case messages.FillBetween():
            session.fill_between(action.structure, action.first, action.last, action.axis)
        case messages.Turn(do="undo"):
            session.undo()
        case messages.Turn():
            session.redo()
        case _:
            _draw(session, action)


def _draw(
    session: InteractiveSession,
    action: messages.Draw
    | messages.Brush
    | messages.Scribble
    | messages.Click
    | messages.Box
    | messages.Polygon
    | messages.Clear,
) -> None:
    """What is done on one slice."""
    shape = _slice_shape(session, action.axis)
    where = (action.index, action.structure)
    match action:
        case messages.Draw():
            session.draw(*where, unpacked(action.mask, shape), axis=action.axis)
        case messages.Brush():
            session.brush(*where, unpacked(action.mask, shape), erase=action.erase, axis=action.axis)
        case messages.Polygon():
            session.brush(*where, inside(action.points, shape), erase=action.erase, axis=action.axis)
        case messages.Scribble():
            positive, negative = (lines(kind, shape, action.radius) for kind in (action.positive, action.negative))
            session.scribble(*where, positive=positive, negative=negative, axis=action.axis)
        case messages.Click():
            session.click(*where, positive=action.positive, negative=action.negative, axis=action.axis)
        case messages.Box():
            session.box(*where, action.box, axis=action.axis)
        case messages.Clear():
            session.clear(*where, axis=action.axis)


def about(action: Action) -> tuple[AxisName, int, int] | None:
    """The axis, slice and structure that an action draws; None for those that draw nothing on one slice."""
    drawing = messages.Draw, messages.Brush, messages.Scribble, messages.Click, messages.Box, messages.Polygon
    return (action.axis, action.index, action.structure) if isinstance(action, drawing) else None


def slices_asked_for(request: messages.Propagate, session: InteractiveSession) -> tuple[int | None, int | None]:
    """First and last slice of a propagation.

    Raises:
        InputError: the direction needs the slice that is shown, or there is nothing in this direction.
    """
    if request.direction == "both":
        return request.first, request.last
    if request.index is None:
        raise InputError(f'propagating "{request.direction}": say from which slice, with "index"')
    slices = session.labels.array.shape[Axis.parse(request.axis)]
    if request.direction == "next":
        if request.index + 1 >= slices:
            raise InputError(f"slice {request.index} is the last one: there is no next one to propagate to")
        return request.index + 1, request.index + 1
    if request.direction == "forward":
        return request.index, request.last
    return request.first, request.index


def _free_id(session: InteractiveSession) -> int:
    taken = {label.id for label in session.structures}
    free = next((number for number in range(1, HIGHEST_STRUCTURE + 1) if number not in taken), None)
    if free is None:
        raise InputError(f"there are {HIGHEST_STRUCTURE} structures already, which is the most; remove one")
    return free


def _slice_shape(session: InteractiveSession, axis: AxisName) -> tuple[int, int]:
    along = Axis.parse(axis)
    height, width = (n for number, n in enumerate(session.labels.array.shape) if number != along)
    return height, width
