"""`ivos train`: networks from synthetic scans, or from the user's own."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivos.cli.terminal import print_line, progress_bar
from ivos.config import load_settings
from ivos.errors import InputError

if TYPE_CHECKING:
    from ivos.training.continuing import OnChange

Given = Annotated[
    list[str] | None,
    typer.Argument(metavar="[FILE.yaml]... [KEY=VALUE]...", help="Settings: files like those in configs/, and values."),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder of the run; one that is there goes on.")]

Folder = Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")]

Restart = Annotated[
    bool,
    typer.Option("--restart", help="Begin a run that is there again; what is there is kept in a folder beside."),
]
Continue = Annotated[
    bool,
    typer.Option("--continue", help="Train on though the data have changed, or the run had ended early."),
]

train = typer.Typer(help="Train networks.", no_args_is_help=True)


@train.callback()
def _group() -> None:
    """Train networks."""


@train.command()
def reference(output: Output, given: Given = None, restart: Restart = False, go_on: Continue = False) -> None:
    """Train networks that segment single slices, on labelled scans alone or with unlabelled ones.

    May be stopped and taken up again at any time: the same command goes on.
    """
    on_change = _on_change(restart=restart, go_on=go_on)
    try:
        from ivos.training.reference.settings import ReferenceSettings

        settings = load_settings(ReferenceSettings, given or [])  # refused before the imports that take seconds
        from ivos.training.reference.train import train_reference
    except ModuleNotFoundError as error:
        raise InputError(f"training needs {error.name}: pip install 'ivos[train]'") from error

    silence_lightning()
    for path in train_reference(settings, output, on_change=on_change):
        _say(f"Weights: {path}")


@train.command()
def propagation(output: Output, given: Given = None, restart: Restart = False, go_on: Continue = False) -> None:
    """Train the engine `fast` on endless synthetic scans, fine-tune it on your own (data.scans=FOLDER), or train STCN.

    May be stopped and taken up again at any time: the same command goes on.
    """
    on_change = _on_change(restart=restart, go_on=go_on)
    try:
        from ivos.training.propagation_settings import PropagationSettings

        settings = load_settings(PropagationSettings, given or [])
        from ivos.training.fast.train import train_fast
        from ivos.training.stcn.train import train_stcn
    except ModuleNotFoundError as error:
        raise InputError(f"training needs {error.name}: pip install 'ivos[train]'") from error

    silence_lightning()
    engine = settings.network.name
    weights = (train_stcn if engine == "stcn" else train_fast)(settings, output, on_change=on_change)
    _say(f"Weights: {weights}. Use them: ivos propagate ... --engine {engine} --checkpoint {weights}")


@train.command()
def calibration(output: Folder, given: Given = None) -> None:
    """Fit threshold and temperature of the engine `fast` (init=FILE) on what anatomy or data hold out of its training.

    A propagation then grows as often as it loses, and a probability of 90 % means 90 %. Takes minutes.
    """
    try:
        from ivos.training.propagation_settings import PropagationSettings

        settings = load_settings(PropagationSettings, given or [])
        if settings.network.name != "fast":
            raise InputError("network.name=stcn: a calibration is for the engine fast")
        from ivos.training.fast.calibrate import calibrate
    except ModuleNotFoundError as error:
        raise InputError(f"training needs {error.name}: pip install 'ivos[train]'") from error

    silence_lightning()
    with progress_bar("Trying calibrations") as progress:
        weights = calibrate(settings, output, progress)
    _say(f"Weights: {weights}. Use them: ivos propagate ... --engine fast --checkpoint {weights}")


@train.command()
def fusion(output: Output, given: Given = None, restart: Restart = False, go_on: Continue = False) -> None:
    """Train the network that fuses a corrected slice with the masks around it, on corrections of synthetic scans.

    The corrections are made first. May be stopped and taken up again at any time: the same command goes on.
    """
    on_change = _on_change(restart=restart, go_on=go_on)
    try:
        from ivos.training.fusion.settings import FusionSettings

        settings = load_settings(FusionSettings, given or [])
        from ivos.training.fusion.train import train_fusion
    except ModuleNotFoundError as error:
        raise InputError(f"training needs {error.name}: pip install 'ivos[train]'") from error

    silence_lightning()
    with progress_bar("Correcting scans") as progress:
        weights = train_fusion(settings, output, progress, on_change=on_change)
    _say(f"Weights: {weights}")


@train.command()
def strokes(output: Output, given: Given = None, restart: Restart = False, go_on: Continue = False) -> None:
    """Train the network that makes masks of clicks, scribbles and boxes, on endless synthetic slices.

    May be stopped and taken up again at any time: the same command goes on.
    """
    on_change = _on_change(restart=restart, go_on=go_on)
    try:
        from ivos.training.strokes.settings import StrokesSettings

        settings = load_settings(StrokesSettings, given or [])
        from ivos.training.strokes.train import train_strokes
    except ModuleNotFoundError as error:
        raise InputError(f"training needs {error.name}: pip install 'ivos[train]'") from error

    silence_lightning()
    weights = train_strokes(settings, output, on_change=on_change)
    _say(f"Weights: {weights}. Use them: ivos annotate ... --strokes {weights}")


@train.command()
def refinement(output: Output, given: Given = None, restart: Restart = False, go_on: Continue = False) -> None:
    """Train the network that corrects propagated structures in three dimensions.

    Volumes are propagated first. May be stopped and taken up again at any time: the same command goes on.
    """
    on_change = _on_change(restart=restart, go_on=go_on)
    try:
        from ivos.training.refine.settings import RefinementSettings

        settings = load_settings(RefinementSettings, given or [])
        from ivos.training.refine.train import train_refinement
    except ModuleNotFoundError as error:
        raise InputError(f"training needs {error.name}: pip install 'ivos[train]'") from error

    silence_lightning()
    with progress_bar("Propagating volumes") as progress:
        weights = train_refinement(settings, output, progress, on_change=on_change)
    _say(f"Weights: {weights}. Use them: ivos propagate ... --refinement {weights}")


def _on_change(*, restart: bool, go_on: bool) -> OnChange:
    if restart and go_on:
        raise InputError("--restart and --continue: give one of them")
    return "restart" if restart else "continue" if go_on else "refuse"


def _say(line: str) -> None:
    """Print a line, once where several processes train."""
    from lightning.pytorch.utilities import rank_zero_only

    if not getattr(rank_zero_only, "rank", 0):
        print_line(line)


def silence_lightning() -> None:
    """Keep its warnings and its banner from the terminal."""
    warnings.filterwarnings("ignore", module=r"lightning\.")  # of its own use of PyTorch, and of what we mean to do
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # it sets its own level when it is imported
