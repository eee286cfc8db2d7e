"""What the server's process holds in memory, and giving back what it does not need any more."""

from __future__ import annotations

import ctypes
import gc
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable


def resident_bytes() -> int:
    """What this process holds in memory: scans, networks and libraries, however they came there."""
    return int(_process().memory_info().rss)


def give_back() -> None:
    """Have the system take back what nothing refers to any more; the C library would keep most of it for later."""
    gc.collect()
    _trim()(0)


@cache
def _process() -> psutil.Process:
    return psutil.Process()


@cache
def _trim() -> Callable[[int], Any]:
    """The C library's own, where it has one (glibc)."""
    if not sys.platform.startswith("linux"):
        return lambda _: None
    return getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)
