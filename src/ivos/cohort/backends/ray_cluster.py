"""Joining a Ray cluster: in seconds, or with one line that says why not."""

from __future__ import annotations

import os
import socket
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ivos.errors import InputError, first_line

if TYPE_CHECKING:
    from collections.abc import Iterator

_ANSWER_S = 3.0


@contextmanager
def joined(address: str) -> Iterator[None]:
    """Be a driver of a cluster for the time of the block; one that this process has joined already is used.

    Args:
        address: ``"auto"`` for the cluster that ``RAY_ADDRESS`` names or that runs on this machine, ``"local"`` for one
            of this machine alone that ends with the block, or ``"HOST:PORT"``.

    Raises:
        InputError: Ray is not installed, no cluster answers, or it is of another version of Ray or Python.
    """
    ray = _ray()
    if ray.is_initialized():
        yield
        return
    _check_answers(address)
    try:
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    except ConnectionError as error:
        if address == "auto" and _current() is None:
            told = "no Ray cluster runs here; begin one with 'ray start --head', or give its address as HOST:PORT"
        else:
            told = f"{_current() if address == 'auto' else address}: what answers there is no Ray cluster"
        raise InputError(told) from error
    except (Exception, SystemExit) as error:  # Ray leaves by SystemExit where the cluster goes while it is joined
        raise InputError(
            f"{address}: this Ray cluster cannot be joined: {first_line(error)}; this machine has to be one of its "
            "nodes ('ray start --address=...') with the same versions of Ray and Python"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def marked(output: Path) -> Iterator[Path]:
    """A hidden empty folder in the output folder for the time of the block: who sees it sees the same folder.

    Raises:
        InputError: the output folder cannot be written to.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        mark = Path(tempfile.mkdtemp(prefix=".ivos-", dir=output))
    except OSError as error:
        raise InputError(f"{output}: cannot be written to: {error.strerror}") from error
    mark.chmod(0o755)  # workers may run as others
    try:
        yield mark
    finally:
        mark.rmdir()


def _ray() -> Any:
    """Ray, told to be quiet."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when Ray is loaded: nothing goes to its makers
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # of actors that were ended with cases in hand
    try:
        import ray
    except ModuleNotFoundError as error:
        raise InputError("a cluster needs Ray: pip install 'ivos[cluster]'") from error
    # It prints the death of every worker on stdout, amid tables and JSON, and has no setting against it.
    ray._private.worker._worker_logs_enabled = False
    return ray


def _check_answers(address: str) -> None:
    """Ray itself waits minutes for a cluster that is not there."""
    if address == "local":
        return
    place = _current() if address == "auto" else address
    if place is None:
        return  # Ray says so at once
    host, colon, port = place.rpartition(":")
    if not colon or not port.isdigit() or "/" in host:
        raise InputError(
            f"{place}: not the address of a Ray cluster: auto, local, or HOST:PORT as 'ray start' tells it"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"{place}: no Ray cluster answers there: {first_line(error)}") from error


def _current() -> str | None:
    """Where ``ray.init`` looks for a cluster by its documentation."""
    named = os.environ.get("RAY_ADDRESS")
    if named:
        return None if named in ("auto", "local") else named
    noted = Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()) / "ray" / "ray_current_cluster"
    try:
        return noted.read_text().strip() or None
    except OSError:
        return None
