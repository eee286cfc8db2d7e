"""The engines by name: what each needs, and how it is made. A new engine is a file beside this one, and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivos.errors import InputError
from ivos.nets.checkpoints import read_weights
from ivos.propagation.engines import fast, flow, nearest, shape, stcn, xmem
from ivos.propagation.engines.protocol import EngineOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from ivos.device import DeviceChoice
    from ivos.propagation.engines.protocol import Engine, EngineEntry, EngineName

ENGINES: Mapping[EngineName, EngineEntry] = {
    "fast": fast.ENTRY,
    "flow": flow.ENTRY,
    "stcn": stcn.ENTRY,
    "xmem": xmem.ENTRY,
    "shape": shape.ENTRY,
    "nearest": nearest.ENTRY,
}


def create_engine(
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
    entry = ENGINES[name]
    if entry.checkpoint == "none" and checkpoint is not None:
        others = ", ".join(other for other, one in ENGINES.items() if one.checkpoint != "none")
        raise InputError(f"{checkpoint}: the engine '{name}' takes no checkpoint; choose one of the engines {others}")
    if bfloat16 and not entry.has_bfloat16:
        others = _joined(other for other, one in ENGINES.items() if one.has_bfloat16)
        raise InputError(f"--bfloat16 is for the engine {others}; leave it out with '{name}'")
    if long_term and entry.long_term != "optional":
        others = _joined(other for other, one in ENGINES.items() if one.long_term == "optional")
        own = "has one anyway" if entry.long_term == "always" else "has none"
        raise InputError(f"--long-term is for the engine {others}; leave it out with '{name}', which {own}")
    if entry.checkpoint == "required" and checkpoint is None:
        raise InputError(f"the engine '{name}' needs weights: --checkpoint with a published {entry.title} checkpoint")
    return entry.create(EngineOptions(checkpoint, device, memory_budget_bytes, bfloat16, long_term))


def engine_for_weights(weights: Path | None = None, *, device: DeviceChoice = "auto") -> Engine:
    """The engine that a file of weights is for, ready to use; the bundled network without one.

    Raises:
        InputError: the weights are unreadable or of no network that propagates; the device is not there.
    """
    if weights is None:
        return create_engine("fast", device=device)
    names = read_weights(weights)
    known = (name for name, entry in ENGINES.items() if any(own in names for own in entry.own_weights))
    return create_engine(next(known, "stcn"), checkpoint=weights, device=device)


def _joined(names: Iterable[str]) -> str:
    return " or ".join(f"'{name}'" for name in names)
