"""The one place that picks a device."""

from __future__ import annotations

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
