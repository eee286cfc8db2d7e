"""`ivos train`: networks from synthetic scans, or from the user's own."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivos.cli.options import input_option, output_option
from ivos.cli.output import print_line
from ivos.cli.progress import progress_bar
from ivos.config import load_settings
from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ivos.training.continuing import OnChange

SettingsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[FILE.yaml]... [KEY=VALUE]...", help="Settings files, as in configs/, and single settings."
    ),
]
Output = Annotated[Path, output_option("--output", "-o", help="Run folder; an existing run is resumed.")]
CalibrationFolder = Annotated[Path, output_option("--output", "-o", help="Folder to write to.")]
Restart = Annotated[
    bool,
    input_option(
        "--restart", help="Start an existing run from the beginning; its files are kept in a folder next to it."
    ),
]
Continue = Annotated[
    bool,
    input_option("--continue", help="Continue training although the data have changed or the run had stopped early."),
]

train = typer.Typer(help="Train networks.", no_args_is_help=True)


@train.callback()
def _group() -> None:
    """Train networks."""


@train.command()
def reference(
    output: Output, given: SettingsArgument = None, restart: Restart = False, go_on: Continue = False
) -> None:
    """Train reference networks, which segment single slices, on labelled and optionally unlabelled scans.

    You can interrupt a training at any time; run the same command again to resume.
    """
    on_change = _on_change(restart=restart, go_on=go_on)
    with require_packages():
        from ivos.training.reference.settings import ReferenceSettings

        settings = load_settings(ReferenceSettings, given or [])  # refused before the imports that take seconds
        from ivos.training.reference.train import train_reference

    for path in train_reference(settings, output, on_change=on_change):
        _print_weights(path)


@train.command()
def propagation(
    output: Output, given: SettingsArgument = None, restart: Restart = False, go_on: Continue = False
) -> None:
    """Train the engine `fast` on synthetic scans, fine-tune it on your own (data.scans=FOLDER), or train STCN.

    You can interrupt a training at any time; run the same command again to resume.
    """
    on_change = _on_change(restart=restart, go_on=go_on)
    with require_packages():
        from ivos.training.propagation_settings import PropagationSettings

        settings = load_settings(PropagationSettings, given or [])
        from ivos.training.fast.train import train_fast
        from ivos.training.stcn.train import train_stcn

    engine = settings.network.name
    weights = (train_stcn if engine == "stcn" else train_fast)(settings, output, on_change=on_change)
    _print_weights(weights, f"ivos propagate ... --engine {engine} --checkpoint {weights}")


@train.command()
def calibration(output: CalibrationFolder, given: SettingsArgument = None) -> None:
    """Fit threshold and temperature of the engine `fast` (init=FILE) on what anatomy or data hold out of its training.

    A propagation then grows as often as it loses, and a probability of 90 % means 90 %. Takes minutes.
    """
    with require_packages():
        from ivos.training.propagation_settings import PropagationSettings

        settings = load_settings(PropagationSettings, given or [])
        if settings.network.name != "fast":
            raise InputError("network.name=stcn: a calibration is for the engine fast")
        from ivos.training.fast.calibrate import calibrate

    with progress_bar("Trying calibrations") as progress:
        weights = calibrate(settings, output, progress)
    _print_weights(weights, f"ivos propagate ... --engine fast --checkpoint {weights}")


@train.command()
def fusion(output: Output, given: SettingsArgument = None, restart: Restart = False, go_on: Continue = False) -> None:
    """Train the network that fuses a corrected slice with the masks around it, on corrections of synthetic scans.

    The corrections are generated first. You can interrupt a training at any time; run the same command again to resume.
    """
    on_change = _on_change(restart=restart, go_on=go_on)
    with require_packages():
        from ivos.training.fusion.settings import FusionSettings

        settings = load_settings(FusionSettings, given or [])
        from ivos.training.fusion.train import train_fusion

    with progress_bar("Generating corrections") as progress:
        weights = train_fusion(settings, output, progress, on_change=on_change)
    _print_weights(weights)


@train.command()
def strokes(output: Output, given: SettingsArgument = None, restart: Restart = False, go_on: Continue = False) -> None:
    """Train the network that turns clicks, scribbles and boxes into masks, on synthetic slices.

    You can interrupt a training at any time; run the same command again to resume.
    """
    on_change = _on_change(restart=restart, go_on=go_on)
    with require_packages():
        from ivos.training.strokes.settings import StrokesSettings

        settings = load_settings(StrokesSettings, given or [])
        from ivos.training.strokes.train import train_strokes

    weights = train_strokes(settings, output, on_change=on_change)
    _print_weights(weights, f"ivos annotate ... --strokes {weights}")


@train.command()
def refinement(
    output: Output, given: SettingsArgument = None, restart: Restart = False, go_on: Continue = False
) -> None:
    """Train the refinement network, which corrects propagated structures in 3-D.

    Volumes are propagated first. You can interrupt a training at any time; run the same command again to resume.
    """
    on_change = _on_change(restart=restart, go_on=go_on)
    with require_packages():
        from ivos.training.refine.settings import RefinementSettings

        settings = load_settings(RefinementSettings, given or [])
        from ivos.training.refine.train import train_refinement

    with progress_bar("Propagating volumes") as progress:
        weights = train_refinement(settings, output, progress, on_change=on_change)
    _print_weights(weights, f"ivos propagate ... --refinement {weights}")


@contextmanager
def require_packages(what: str = "training", extra: str = "train") -> Iterator[None]:
    """Within it a missing package is refused by the extra that has it; afterwards Lightning prints nothing of its own.

    Raises:
        InputError: a package is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise InputError(f"{what} needs {error.name}: pip install 'ivos[{extra}]'") from error
    warnings.filterwarnings("ignore", module=r"lightning\.")  # about its own use of PyTorch, and deliberate choices
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # it sets its own level when it is imported


def _on_change(*, restart: bool, go_on: bool) -> OnChange:
    if restart and go_on:
        raise InputError("--restart and --continue: give one of them")
    return "restart" if restart else "continue" if go_on else "refuse"


def _print_weights(path: Path, use: str | None = None) -> None:
    """Print where the weights are and which command takes them, once where several processes train."""
    from lightning.pytorch.utilities import rank_zero_only

    if not getattr(rank_zero_only, "rank", 0):
        print_line(f"Weights: {path}" if use is None else f"Weights: {path}. Use them: {use}")
