"""An engine by the name that a command line gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ivos.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.device import DeviceChoice
    from ivos.propagation.engines.protocol import Engine

EngineName = Literal["flow", "fast", "stcn", "xmem", "shape", "nearest"]

_WORKING_SIZE = 512  # the slice size that the checkpoints of IVOS were trained and run at; XMem's own is near it
_OF_SMALL_NETWORK = "sharpness"  # weights that no other network has
_OF_XMEM = ("key_proj.d_proj.weight", "key_proj.shrinkage.weight")  # under official names and under ours
_OF_PUBLISHED = ("stcn", "xmem")


def choose_engine(
    name: EngineName,
    *,
    checkpoint: Path | None = None,
    device: DeviceChoice = "auto",
    memory_budget_bytes: int = 2 * 10**9,
    bfloat16: bool = False,
    long_term: bool = False,
) -> Engine:
    """The engine of that name, ready to use; networks are loaded once a process.

    Args:
        name: which.
        checkpoint: weights, for ``"stcn"`` and ``"xmem"`` (needed) and ``"fast"`` (instead of the bundled ones).
        device: where networks run.
        memory_budget_bytes: what the memory of slices may take.
        bfloat16: whether ``"stcn"`` or ``"xmem"`` computes in it: faster, and not quite the same; ``"fast"`` does where
            that pays.
        long_term: whether ``"stcn"`` has a long-term memory, so that a slice of a long scan costs no more than one of a
            short scan; ``"xmem"`` always has one.

    Raises:
        InputError: a checkpoint is missing, unreadable or not wanted; an option that the engine does not have; the
            device is not there.
    """
    if name in ("flow", "shape", "nearest") and checkpoint is not None:
        raise InputError(f"{checkpoint}: the engine '{name}' takes no checkpoint; add --engine fast, stcn or xmem")
    if name not in _OF_PUBLISHED and bfloat16:
        raise InputError(f"--bfloat16 is for the engine 'stcn' or 'xmem'; leave it out with '{name}'")
    if name != "stcn" and long_term:
        own = "has one anyway" if name == "xmem" else "has none"
        raise InputError(f"--long-term is for the engine 'stcn'; leave it out with '{name}', which {own}")
    if name == "flow":
        from ivos.propagation.engines.flow import FlowEngine

        return FlowEngine()
    if name == "shape":
        from ivos.propagation.engines.shape import ShapeEngine

        return ShapeEngine()
    if name == "nearest":
        from ivos.propagation.engines.nearest import NearestEngine

        return NearestEngine()
    if name == "fast":
        from ivos.device import pick_device
        from ivos.nets.runners import loaded_runner
        from ivos.propagation.engines.fast import FastEngine

        return FastEngine(loaded_runner(checkpoint, pick_device(device)))
    if checkpoint is None:
        whose = "STCN or IVOS" if name == "stcn" else "XMem"
        raise InputError(f"the engine '{name}' needs weights: add --checkpoint with a published {whose} checkpoint")
    if name == "xmem":
        return _xmem(checkpoint, device, memory_budget_bytes, bfloat16=bfloat16)
    return _stcn(checkpoint, device, memory_budget_bytes, bfloat16=bfloat16, long_term=long_term)


def _stcn(checkpoint: Path, device: DeviceChoice, budget_bytes: int, *, bfloat16: bool, long_term: bool) -> Engine:
    from ivos.device import pick_device
    from ivos.nets.inference import loaded_stcn
    from ivos.propagation.engines.stcn import STCNEngine
    from ivos.propagation.memory.long_term import PUBLISHED_SIZES

    chosen = pick_device(device)
    return STCNEngine(
        loaded_stcn(checkpoint, chosen, bfloat16=bfloat16),
        device=chosen,
        memory_budget_bytes=budget_bytes,
        working_size=_WORKING_SIZE,
        bfloat16=bfloat16,
        long_term=PUBLISHED_SIZES if long_term else None,
    )


def _xmem(checkpoint: Path, device: DeviceChoice, budget_bytes: int, *, bfloat16: bool) -> Engine:
    from ivos.device import pick_device
    from ivos.nets.inference import loaded_xmem
    from ivos.propagation.engines.xmem import XMemEngine

    chosen = pick_device(device)
    return XMemEngine(
        loaded_xmem(checkpoint, chosen, bfloat16=bfloat16),
        device=chosen,
        memory_budget_bytes=budget_bytes,
        working_size=_WORKING_SIZE,
        bfloat16=bfloat16,
    )


def engine_of(weights: Path | None = None, *, device: DeviceChoice = "auto") -> Engine:
    """The engine that a file of weights is for, ready to use; the bundled network without one.

    Raises:
        InputError: the weights are unreadable or of no network that propagates; the device is not there.
    """
    if weights is None:
        return choose_engine("fast", device=device)
    from ivos.nets.checkpoints import read_weights

    names = read_weights(weights)
    name: EngineName = "stcn"
    if _OF_SMALL_NETWORK in names:
        name = "fast"
    elif any(telling in names for telling in _OF_XMEM):
        name = "xmem"
    return choose_engine(name, checkpoint=weights, device=device)
