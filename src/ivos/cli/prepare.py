"""`ivos prepare`: from a folder as it was downloaded to what training reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ivos.cli.terminal import print_json, print_line, progress_bar
from ivos.errors import InputError, counted
from ivos.files import check_writable

_SHOWN = 5


def prepare(
    raw: Annotated[
        Path, typer.Argument(help="Folder as downloaded: FLARE22, nnU-Net, MSD, AMOS, BTCV, TotalSegmentator.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the prepared scans go.")],
    folds: Annotated[int, typer.Option(help="Into how many folds labelled cases are divided.")] = 5,
    test_share: Annotated[float, typer.Option(help="Share of labelled patients kept for testing.")] = 0.0,
    patients: Annotated[
        Path | None, typer.Option(help="CSV of case,patient: one patient's cases stay together.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the split.")] = 0,
    workers: Annotated[int, typer.Option(help="Processes.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Check scans and labels, store them for training, and split them; run it again to go on where it stopped."""
    for name, value, least in (("--folds", folds, 2), ("--workers", workers, 1)):
        if value < least:
            raise InputError(f"{name} {value}: must be at least {least}")
    if not 0 <= test_share < 1:
        raise InputError(f"--test-share {test_share:g}: must be 0 or more and less than 1")
    try:
        from ivos.training.data.prepare import prepare as run
    except ModuleNotFoundError as error:
        raise InputError(f"preparing needs {error.name}: pip install 'ivos[train]'") from error
    from ivos.report.cohort import write_cohort_page

    check_writable(output)

    with progress_bar("Preparing", shown=not as_json) as progress:
        manifest = run(
            raw,
            output,
            folds=folds,
            test_share=test_share,
            seed=seed,
            workers=workers,
            patients=patients,
            progress=progress,
        )
    write_cohort_page(output, manifest, title=raw.resolve().name)
    labelled = sum(case.info.labelled for case in manifest.cases)
    if as_json:
        refused = [refusal.model_dump() for refusal in manifest.refused]
        print_json({"cases": len(manifest.cases), "labelled": labelled, "refused": refused, "output": str(output)})
        return
    print_line(f"{counted(len(manifest.cases), 'case')}, {labelled} of them labelled: {output / 'cohort.html'}")
    for refusal in manifest.refused[:_SHOWN]:
        print_line(f"left out: {refusal.case}: {refusal.reason}")
    if len(manifest.refused) > _SHOWN:
        print_line(f"and {len(manifest.refused) - _SHOWN} more: {output / 'refused.csv'}")
