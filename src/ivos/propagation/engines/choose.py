"""An engine by the name that a command line gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ivos.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.device import DeviceChoice
    from ivos.propagation.engines.protocol import Engine

EngineName = Literal["flow", "fast", "stcn", "nearest"]

_STCN_WORKING_SIZE = 512  # the slice size that the published checkpoints were trained and run at
_OF_SMALL_NETWORK = "sharpness"  # a weight that no published network has


def choose_engine(
    name: EngineName,
    *,
    checkpoint: Path | None = None,
    device: DeviceChoice = "auto",
    memory_budget_bytes: int = 2 * 10**9,
    bfloat16: bool = False,
) -> Engine:
    """The engine of that name, ready to use.

    Args:
        name: which.
        checkpoint: weights, for ``"stcn"`` (needed) and ``"fast"`` (instead of the bundled ones).
        device: where networks run.
        memory_budget_bytes: what the memory of slices may take.
        bfloat16: whether ``"stcn"`` computes in it: faster, and not quite the same; ``"fast"`` does where that pays.

    Raises:
        InputError: a checkpoint is missing, unreadable or not wanted; bfloat16 for another engine than ``"stcn"``; the
            device is not there.
    """
    if name in ("flow", "nearest") and checkpoint is not None:
        raise InputError(f"{checkpoint}: the engine '{name}' takes no checkpoint; add --engine fast or stcn")
    if name != "stcn" and bfloat16:
        raise InputError(f"--bfloat16 is for the engine 'stcn'; leave it out with '{name}'")
    if name == "flow":
        from ivos.propagation.engines.flow import FlowEngine

        return FlowEngine()
    if name == "nearest":
        from ivos.propagation.engines.nearest import NearestEngine

        return NearestEngine()
    if name == "fast":
        from ivos.device import pick_device
        from ivos.nets.checkpoints import load_fast
        from ivos.nets.runners import runner_for
        from ivos.propagation.engines.fast import FastEngine

        return FastEngine(runner_for(load_fast(checkpoint), pick_device(device)))
    if checkpoint is None:
        raise InputError("the engine 'stcn' needs weights: add --checkpoint with a published STCN or IVOS checkpoint")
    from ivos.device import pick_device
    from ivos.nets.checkpoints import load_stcn
    from ivos.propagation.engines.stcn import STCNEngine

    return STCNEngine(
        load_stcn(checkpoint),
        device=pick_device(device),
        memory_budget_bytes=memory_budget_bytes,
        working_size=_STCN_WORKING_SIZE,
        bfloat16=bfloat16,
    )


def engine_of(weights: Path | None = None, *, device: DeviceChoice = "auto") -> Engine:
    """The engine that a file of weights is for, ready to use; the bundled network without one.

    Raises:
        InputError: the weights are unreadable or of neither network that propagates; the device is not there.
    """
    if weights is None:
        return choose_engine("fast", device=device)
    from ivos.nets.checkpoints import read_weights

    small = _OF_SMALL_NETWORK in read_weights(weights)
    return choose_engine("fast" if small else "stcn", checkpoint=weights, device=device)
