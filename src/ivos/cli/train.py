"""`ivos train`: networks from synthetic scans, and later from the user's own."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from ivos.cli.terminal import print_line
from ivos.errors import InputError

train = typer.Typer(help="Train networks.", no_args_is_help=True)


@train.callback()
def _group() -> None:
    """Train networks."""


@train.command()
def propagation(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run; one that is there goes on.")],
    steps: Annotated[int, typer.Option(help="Optimiser steps in all.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of the weights and the synthetic scans.")] = 0,
    workers: Annotated[int, typer.Option(help="Processes that make synthetic scans.")] = 1,
) -> None:
    """Train the engine `fast` on endless synthetic scans; may be stopped and taken up again at any time."""
    for name, value, least in (("--steps", steps, 1), ("--workers", workers, 0)):
        if value < least:
            raise InputError(f"{name} {value}: must be at least {least}")
    try:
        from ivos.training.run import train_propagation
    except ModuleNotFoundError as error:
        raise InputError(f"training needs {error.name}: pip install 'ivos[train]'") from error

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # it sets its own level when it is imported
    weights = train_propagation(output, steps=steps, seed=seed, workers=workers)
    print_line(f"Weights: {weights}. Use them: ivos propagate ... --engine fast --checkpoint {weights}")
