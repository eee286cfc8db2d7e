"""`ivos prepare`: from a downloaded data set to the format that training reads."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivos.cli import options
from ivos.cli.commands.train import require_packages
from ivos.cli.output import print_json, print_line
from ivos.cli.progress import progress_bar
from ivos.errors import InputError, counted
from ivos.files import check_writable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivos.training.data.store import ScanInfo

_SHOWN = 5

split_option = partial(typer.Option, rich_help_panel="Split")


def prepare(
    raw: Annotated[
        Path, typer.Argument(help="Downloaded folder: FLARE22, nnU-Net, MSD, AMOS, BTCV or TotalSegmentator.")
    ],
    output: Annotated[Path, options.output_option("--output", "-o", help="Folder for the prepared scans.")],
    folds: Annotated[
        int | None, split_option(help="Number of cross-validation folds. Default for a new split: 5.")
    ] = None,
    test_share: Annotated[
        float | None, split_option(help="Share of labelled patients kept for testing. Default for a new split: none.")
    ] = None,
    patients: Annotated[
        Path | None, split_option(help="CSV of case,patient: cases of one patient stay in the same part.")
    ] = None,
    seed: Annotated[int | None, split_option(help="Random seed of the split. Default for a new split: 0.")] = None,
    resplit: Annotated[
        bool, split_option("--resplit", help="Split all cases again; without it, cases keep their part.")
    ] = False,
    ignore_label: options.IgnoreLabelOption = None,
    modality: options.ModalityOption = "auto",
    workers: Annotated[int, options.many_option(help="Number of processes.")] = 2,
    as_json: options.JsonOption = False,
) -> None:
    """Check scans and labels, store them for training, and split them into folds.

    Run the same command again to resume, or to add new cases. Cases keep their part of the split, and new ones are
    added to it, unless --resplit is given.
    """
    for name, value, least in (("--folds", folds, 2), ("--workers", workers, 1), ("--seed", seed, 0)):
        if value is not None and value < least:
            raise InputError(f"{name} {value}: must be at least {least}")
    if test_share is not None and not 0 <= test_share < 1:
        raise InputError(f"--test-share {test_share:g}: must be 0 or more and less than 1")
    with require_packages("preparing"):
        from ivos.training.data.prepare import prepare as prepare_cohort
    from ivos.report.cohort import write_cohort_page

    check_writable(output)

    with progress_bar("Preparing", shown=not as_json) as progress:
        manifest = prepare_cohort(
            raw,
            output,
            folds=folds,
            test_share=test_share,
            seed=seed,
            workers=workers,
            patients=patients,
            ignore=ignore_label,
            resplit=resplit,
            modality=modality,
            progress=progress,
        )
    write_cohort_page(output, manifest, title=raw.resolve().name)
    labelled = sum(case.info.labelled for case in manifest.cases)
    if as_json:
        refused = [refusal.model_dump() for refusal in manifest.refused]
        windows = {case.info.case: case.info.seen_as for case in manifest.cases}
        facts = {"cases": len(manifest.cases), "labelled": labelled, "refused": refused, "windows": windows}
        print_json({**facts, "output": str(output)})
        return
    print_line(f"{counted(len(manifest.cases), 'case')}, {labelled} of them labelled: {output / 'cohort.html'}")
    _print_windows([case.info for case in manifest.cases if case.info.modality is None])
    for refusal in manifest.refused[:_SHOWN]:
        print_line(f"left out: {refusal.case}: {refusal.reason}")
    if len(manifest.refused) > _SHOWN:
        print_line(f"and {len(manifest.refused) - _SHOWN} more: {output / 'refused.csv'}")


def _print_windows(unnamed: Sequence[ScanInfo]) -> None:
    """Print which windows were chosen for scans whose files do not name the modality."""
    other = [info.case for info in unnamed if info.seen_as != "ct"]
    if not unnamed:
        return
    line = f"Windows, judging by the intensities: {len(unnamed) - len(other)} scans as CT, {len(other)} by percentiles"
    names = ", ".join(other[:_SHOWN]) + ", ..." * (len(other) > _SHOWN)
    mixed = 0 < len(other) < len(unnamed)
    print_line(f"{line}{f' ({names})' if mixed else ''}; choose with --modality.")
