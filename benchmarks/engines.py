"""Which engines a benchmark compares, and with which weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from ivos.propagation.engines.protocol import EngineName
from ivos.propagation.engines.registry import create_engine

if TYPE_CHECKING:
    from ivos.propagation.engines.protocol import Engine

_USUAL = ("nearest", "flow", "fast")

Engines = Annotated[
    list[str] | None,
    typer.Option("--engine", help="An engine to run, repeated for several; by default nearest, flow and fast."),
]
Checkpoint = Annotated[Path | None, typer.Option(exists=True, help="STCN weights; adds that engine.")]
FastCheckpoint = Annotated[Path | None, typer.Option(exists=True, help="Other weights for the engine fast.")]


@dataclass(frozen=True)
class Contender:
    """An engine by name, with weights if they are not the bundled ones."""

    name: EngineName
    checkpoint: Path | None = None

    def load(self) -> Engine:
        """The engine, ready to use."""
        return create_engine(self.name, checkpoint=self.checkpoint)


def contenders(names: list[str] | None, checkpoint: Path | None, fast_checkpoint: Path | None) -> list[Contender]:
    """What the options above ask for, in that order, each engine once."""
    wanted = list(dict.fromkeys(names or _USUAL))
    if checkpoint is not None and "stcn" not in wanted:
        wanted.append("stcn")
    unknown = [name for name in wanted if name not in get_args(EngineName)]
    if unknown:
        raise typer.BadParameter(f"--engine {unknown[0]}: choose from {', '.join(get_args(EngineName))}")
    if checkpoint is None and "stcn" in wanted:
        raise typer.BadParameter("--engine stcn needs --checkpoint")
    if fast_checkpoint is not None and "fast" not in wanted:
        raise typer.BadParameter("--fast-checkpoint needs --engine fast")
    weights = {"stcn": checkpoint, "fast": fast_checkpoint}
    return [Contender(cast("EngineName", name), weights.get(name)) for name in wanted]
