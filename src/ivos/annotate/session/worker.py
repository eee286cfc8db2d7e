"""The one thread in which sessions live and networks run."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = TypeVar("Answer")


class Worker:
    """Does one thing after the other, in the order in which they are asked for.

    So a session needs no lock, a network's threads are made once and not for every thread of the server, and a long
    job that asks for its next slice after every slice lets everybody else in between.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ivos-worker")

    def run(self, what: Callable[[], Answer]) -> Answer:
        """Have something done, and wait for its answer. Not to be called from within the worker."""
        return self._thread.submit(what).result()

    def later(self, what: Callable[[], Answer]) -> Future[Answer]:
        """Have something done after all that was asked for before."""
        return self._thread.submit(what)

    def close(self) -> None:
        """End once everything that was asked for is done."""
        self._thread.shutdown()
