"""What happens in a scan, told to every tab that shows it (server-sent events)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

EventName = Literal["changed", "job", "scan", "error"]

_HEARTBEAT_S = 15.0
_MOST_WAITING = 1_000  # events that a tab has not taken; one that sleeps so long has to load anew


class Listener:
    """One tab's events, in order."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[str | None] = asyncio.Queue(_MOST_WAITING)
        self.loop = asyncio.get_running_loop()

    def put(self, text: str | None) -> None:
        """Add an event, from any thread; None ends the stream."""
        with contextlib.suppress(RuntimeError):  # its loop has ended: nobody listens
            self.loop.call_soon_threadsafe(self._put, text)

    def _put(self, text: str | None) -> None:
        if self.waiting.full():
            while not self.waiting.empty():
                self.waiting.get_nowait()
            text = None  # the page connects anew, and asks for all that it missed
        self.waiting.put_nowait(text)

    async def stream(self) -> AsyncIterator[str]:
        """The events as they go over the wire, with a comment now and then so that the connection is kept."""
        yield ": listening\n\n"
        while True:
            try:
                text = await asyncio.wait_for(self.waiting.get(), _HEARTBEAT_S)
            except asyncio.TimeoutError:
                yield ": still here\n\n"
                continue
            if text is None:
                return
            yield text


class Events:
    """Fans out what happens, from whichever thread, to who listens.

    Attributes:
        when_left: is told of a scan to which nobody listens any more.
    """

    def __init__(self) -> None:
        self._listeners: dict[str, set[Listener]] = {}
        self._lock = threading.Lock()
        self._closed = False
        self.when_left: Callable[[str], None] | None = None

    def tell(self, scan: str, name: EventName, data: Any) -> None:
        """Tell all who listen to a scan.

        Args:
            scan: its id.
            name: of the event.
            data: anything that goes into JSON.
        """
        text = f"event: {name}\ndata: {json.dumps(data, allow_nan=False)}\n\n"
        with self._lock:
            listeners = list(self._listeners.get(scan, ()))
        for listener in listeners:
            listener.put(text)

    def is_followed(self, scan: str) -> bool:
        """Whether anybody listens to a scan."""
        with self._lock:
            return scan in self._listeners

    async def stream(self, scan: str) -> AsyncIterator[str]:
        """Listen to a scan until the reader goes away or the server ends."""
        listener = Listener()
        with self._lock:
            if self._closed:
                return
            self._listeners.setdefault(scan, set()).add(listener)
        try:
            async for text in listener.stream():
                yield text
        finally:
            with self._lock:
                self._listeners[scan].discard(listener)
                left = not self._listeners[scan]
                if left:
                    del self._listeners[scan]
            if left and self.when_left is not None:
                self.when_left(scan)

    def close(self) -> None:
        """End all streams: a server does not stop as long as anyone listens."""
        with self._lock:
            self._closed = True
            listeners = [listener for tabs in self._listeners.values() for listener in tabs]
        for listener in listeners:
            listener.put(None)
