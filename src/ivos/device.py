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
