"""A worker gives back what tests have freed: with four of them the machine's memory would not do otherwise."""

from __future__ import annotations

import platform

import pytest

from tests.memory import give_back, resident_bytes

_MB = 2**20


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what is kept is glibc's")
def test_what_is_freed_below_what_is_not_goes_back_to_the_system() -> None:
    blocks = [bytearray(b"x") * 100_000 for _ in range(4000)]
    pinned = blocks[-1]  # at the top of the heap: what lies below stays by itself
    full = resident_bytes()
    del blocks
    assert give_back(full) == min(full, resident_bytes())  # nothing is done where it has not grown
    assert give_back(0) < full - 300 * _MB
    assert pinned
