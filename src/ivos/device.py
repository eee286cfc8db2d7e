"""The one place that picks a device, and that says where none can be used."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from ivos.errors import InputError

if TYPE_CHECKING:
    import torch

DeviceChoice = Literal["auto", "cpu", "cuda", "mps"]


def pick_device(choice: DeviceChoice = "auto") -> torch.device:
    """The device to compute on; ``"auto"`` takes a GPU where there is one.

    Raises:
        InputError: the chosen device is not there.
    """
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if choice == "auto":
        return torch.device(next(name for name, present in there.items() if present))
    if not there[choice]:
        raise InputError(f"device '{choice}' is not available here (or this torch is built without it); use cpu")
    return torch.device(choice)


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies in bfloat16, so that it pays to compute in it."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and any(torch.cpu.get_capabilities().get(name) for name in ("amx_bf16", "avx512_bf16"))


def check_not_forked() -> None:
    """Refuse to compute with networks in a process that was forked from one that has, with several threads.

    A fork inherits what belongs to threads (OpenMP's, OpenVINO's), but not the threads, and would wait for them for
    ever. To be called wherever a network is loaded or asked.

    Raises:
        InputError: this is such a process.
    """
    import torch

    first = _first_to_compute()
    if first.pid == os.getpid():
        first.threads = max(first.threads, torch.get_num_threads())
    elif first.threads > 1:
        raise InputError(
            f"this process was forked from one that has computed with networks in {first.threads} threads, which a "
            "fork does not have: it would wait for them for ever. Start processes with "
            "multiprocessing.get_context('spawn') instead of 'fork'"
        )


@dataclass
class _Computing:
    """A process that has asked networks.

    Attributes:
        pid: its number.
        threads: the most that it has computed with.
    """

    pid: int
    threads: int


@cache
def _first_to_compute() -> _Computing:
    """The process that asked first; what is forked from it inherits the answer."""
    return _Computing(os.getpid(), 0)
