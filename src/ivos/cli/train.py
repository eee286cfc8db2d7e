"""`ivos train`: networks from synthetic scans, or from the user's own."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from ivos.cli.terminal import print_line
from ivos.errors import InputError

_STEPS, _FINE_TUNING_STEPS = 10_000, 1000

train = typer.Typer(help="Train networks.", no_args_is_help=True)


@train.callback()
def _group() -> None:
    """Train networks."""


@train.command()
def reference(
    settings: Annotated[Path, typer.Argument(help="YAML file of settings, like those in configs/.")],
    changes: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings to change.")] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the run; one that is there goes on.")
    ] = Path("run"),
) -> None:
    """Train networks that segment single slices, on labelled scans alone or with unlabelled ones."""
    try:
        from ivos.training.reference import train_reference
        from ivos.training.reference_settings import ReferenceSettings
    except ModuleNotFoundError as error:
        raise InputError(f"training needs {error.name}: pip install 'ivos[train]'") from error
    from ivos.config import load_settings

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    for path in train_reference(load_settings(ReferenceSettings, settings, changes or []), output):
        print_line(f"Weights: {path}")


@train.command()
def propagation(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run; one that is there goes on.")],
    scans: Annotated[Path | None, typer.Option(help="Folder of own scans to fine-tune on.")] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Their labels, under the same names (a scan's may end in _0000).")
    ] = None,
    init: Annotated[
        Path | None, typer.Option(help="Weights to begin with; own scans begin with the bundled ones by default.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps in all; 10000, or 1000 to fine-tune.")] = None,
    seed: Annotated[int, typer.Option(help="Of weights and scans.")] = 0,
    workers: Annotated[int, typer.Option(help="Processes that prepare scans.")] = 1,
) -> None:
    """Train the engine `fast` on endless synthetic scans, or fine-tune it on your own labelled ones.

    May be stopped and taken up again at any time: the same command goes on.
    """
    if (scans is None) != (labels is None):
        raise InputError("--scans and --labels belong together: give both folders, or neither for synthetic scans")
    for name, value, least in (("--steps", 1 if steps is None else steps, 1), ("--workers", workers, 0)):
        if value < least:
            raise InputError(f"{name} {value}: must be at least {least}")
    try:
        from ivos.nets.checkpoints import load_fast
        from ivos.training.run import train_propagation
        from ivos.volume.cases import labelled_cases
    except ModuleNotFoundError as error:
        raise InputError(f"training needs {error.name}: pip install 'ivos[train]'") from error

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # it sets its own level when it is imported
    cases = labelled_cases(scans, labels) if scans is not None and labels is not None else []
    for case in cases:
        case.read()  # what is wrong with any is said before hours are spent
    begun = load_fast(init) if init is not None or cases else None
    total = steps or (_FINE_TUNING_STEPS if cases else _STEPS)
    weights = train_propagation(output, steps=total, cases=cases, init=begun, seed=seed, workers=workers)
    print_line(f"Weights: {weights}. Use them: ivos propagate ... --engine fast --checkpoint {weights}")
