"""`ivos self-train`: rounds of training and pseudo-labelling."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ivos.cli.commands.train import require_packages
from ivos.cli.options import output_option
from ivos.cli.output import print_line, print_table
from ivos.cli.progress import print_count
from ivos.config import load_settings


def self_train(
    output: Annotated[Path, output_option("--output", "-o", help="Run folder; an existing run is resumed.")],
    given: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE.yaml]... [KEY=VALUE]...",
            help="Settings files, such as configs/laptop/loop.yaml, and single settings.",
        ),
    ] = None,
) -> None:
    """Self-training: in each round, train, segment the unlabelled scans, and add reliable pseudo-labels.

    You can interrupt it at any time; run the same command again to resume. Corrected labels that you save as
    OUTPUT/review/CASE.nii.gz replace pseudo-labels in the next round. OUTPUT/loop.html shows all rounds and links to
    their pseudo-labels, worst first.
    """
    with require_packages():
        from ivos.loop.settings import LoopSettings

        settings = load_settings(LoopSettings, given or [])
        from ivos.loop.rounds import best_round, run_loop
        from ivos.report.loop import PAGE, write_loop_pages

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
    print_line(f"All rounds, and the cases to review: {output / PAGE}")
