"""Networks that this process has loaded: whoever asks for the same file on the same device gets the same network.

Loading and compiling costs seconds, and what a compiler keeps of a network is never given back: a program that goes
through a hundred scans must do it once.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import torch

from ivos.device import check_not_forked

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from pathlib import Path

Kept = TypeVar("Kept")

MOST, MOST_BYTES = 8, 10**9
"""Networks that are kept at once, and their files together; those that were not asked for longest go first."""


class _Key(NamedTuple):
    """What a network is asked for by.

    Attributes:
        kind: of network.
        path: of its weights.
        device: where it runs.
        threads: that it computes with; a compiled network keeps to those that it was compiled for.
        settings: further ones that it is made with.
    """

    kind: str
    path: str
    device: str
    threads: int
    settings: tuple[Hashable, ...]


class _FileState(NamedTuple):
    """What changes when a file is written again."""

    modified_ns: int
    size_bytes: int
    inode: int


class LoadedNetworks:
    """Networks by file and device, some at most. May be used from any thread.

    Args:
        most: kept at once.
        most_bytes: of their files together; the one that was asked for last is kept however large it is.
    """

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._kept: OrderedDict[_Key, tuple[_FileState, Any]] = OrderedDict()
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, kind: str, path: Path, device: torch.device, make: Callable[[], Kept], *settings: Hashable) -> Kept:
        """The network, made now if it is not here or its file has changed.

        Args:
            kind: of network: the same file may be asked for as several.
            path: of its weights.
            device: where it runs.
            make: loads it, ready to be used by several at a time.
            settings: whatever else makes it another network.

        Raises:
            InputError: whatever ``make`` raises; nothing is kept then. This process was forked from one that computes.
        """
        check_not_forked()
        try:
            found = path.resolve()
            stat = found.stat()
        except OSError:  # make says it better
            return make()
        key = _Key(kind, str(found), str(device), torch.get_num_threads(), settings)
        state = _FileState(stat.st_mtime_ns, stat.st_size, stat.st_ino)
        with self._lock:  # who asks for a network that another is loading waits for that one
            kept = self._kept.get(key)
            if kept is None or kept[0] != state:
                self._kept[key] = state, make()
            self._kept.move_to_end(key)
            while len(self._kept) > 1 and self._too_many():
                self._kept.popitem(last=False)
            return cast("Kept", self._kept[key][1])

    def clear(self) -> None:
        """Let go of all of them; who uses one keeps it."""
        with self._lock:
            self._kept.clear()

    def _too_many(self) -> bool:
        held_bytes = sum(state.size_bytes for state, _ in self._kept.values())
        return len(self._kept) > self._most or held_bytes > self._most_bytes


LOADED = LoadedNetworks()
"""Those of this process."""
