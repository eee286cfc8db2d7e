"""`ivos self-train`: training, segmenting, and training on what can be trusted of it, in rounds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ivos.cli.commands.train import silence_lightning
from ivos.cli.terminal import print_count, print_line, print_table
from ivos.config import load_settings
from ivos.errors import InputError


def self_train(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the loop; one that is there goes on.")],
    given: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE.yaml]... [KEY=VALUE]...", help="Settings: files like configs/*/loop.yaml."),
    ] = None,
) -> None:
    """Rounds of training, segmenting the unlabelled scans, and training on the pseudo-labels that can be trusted.

    May be stopped and taken up again at any time: the same command goes on. Labels that you correct and put into
    OUTPUT/review/ as CASE.nii.gz are learned from in the next round, instead of pseudo-labels. OUTPUT/loop.html shows
    how it goes, from the beginning on, and leads to the pseudo-labels of each round, the worst first.
    """
    try:
        from ivos.loop.settings import LoopSettings

        settings = load_settings(LoopSettings, given or [])
        from ivos.loop.rounds import best_round, run_loop
        from ivos.report.loop import PAGE, write_loop_pages
    except ModuleNotFoundError as error:
        raise InputError(f"training needs {error.name}: pip install 'ivos[train]'") from error

    silence_lightning()
    rounds = run_loop(settings, output, print_count, lambda cases: write_loop_pages(settings, output, cases))
    rows = [
        (
            str(r.number),
            str(r.labelled),
            str(r.pseudo_labelled),
            "-" if r.validation_dsc is None else f"{r.validation_dsc:.4f}",
            f"{r.seconds / 60:.1f}",
        )
        for r in rounds
    ]
    print_table("", ("round", "labelled", "pseudo-labelled", "validation DSC", "minutes"), rows)
    print_line(f"Weights of round {best_round(rounds).number}: {output / f'round_{best_round(rounds).number}' / 'run'}")
    print_line(f"All rounds, and what to correct: {output / PAGE}")
