"""What a process keeps of memory that was freed: glibc's allocator holds on to most of what large networks took."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

import psutil

_GROWN_BYTES = 256 * 2**20


def resident_bytes() -> int:
    return int(psutil.Process().memory_info().rss)


def give_back(before: int) -> int:
    """Collect what is unreachable and give freed memory back to the system, if this process has grown since.

    Training leaves trainers and networks in cycles, and glibc keeps what it freed for later: several GB after a test or
    two of large networks, for as long as the process lives.

    Args:
        before: resident bytes when this was done last.

    Returns:
        Resident bytes now.
    """
    now = resident_bytes()
    if now - before < _GROWN_BYTES:
        return min(before, now)
    gc.collect()
    with suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    return resident_bytes()
