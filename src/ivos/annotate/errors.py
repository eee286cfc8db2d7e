"""Why the server does not do what it is asked, and the status that says so."""

from __future__ import annotations

from http import HTTPStatus

from ivos.errors import InputError


class RefusedError(InputError):
    """One line that says what, where and what to do, with the HTTP status that fits it."""

    status = HTTPStatus.BAD_REQUEST


class NotFoundError(RefusedError):
    """There is no such thing."""

    status = HTTPStatus.NOT_FOUND


class ConflictError(RefusedError):
    """Not in the state that things are in now."""

    status = HTTPStatus.CONFLICT


class TooLargeError(RefusedError):
    """More than the server takes."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class StorageFullError(RefusedError):
    """It could not be written to the disk, so it was not done."""

    status = HTTPStatus.INSUFFICIENT_STORAGE
