"""`ivos prepare`: from a folder as it was downloaded to what training reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivos.cli.label_options import IgnoreLabelOption
from ivos.cli.terminal import print_json, print_line, progress_bar
from ivos.errors import InputError, counted
from ivos.files import check_writable
from ivos.volume.windows import Modality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivos.training.data.store import ScanInfo

_SHOWN = 5


def prepare(
    raw: Annotated[
        Path, typer.Argument(help="Folder as downloaded: FLARE22, nnU-Net, MSD, AMOS, BTCV, TotalSegmentator.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the prepared scans go.")],
    folds: Annotated[
        int | None, typer.Option(help="Into how many folds labelled cases are divided; 5 where nothing is split yet.")
    ] = None,
    test_share: Annotated[
        float | None,
        typer.Option(help="Share of labelled patients kept for testing; none where nothing is split yet."),
    ] = None,
    patients: Annotated[
        Path | None, typer.Option(help="CSV of case,patient: one patient's cases stay together.")
    ] = None,
    ignore_label: IgnoreLabelOption = None,
    seed: Annotated[int | None, typer.Option(help="Of the split; 0 where nothing is split yet.")] = None,
    resplit: Annotated[
        bool, typer.Option("--resplit", help="Draw the split of all cases again; else each keeps its part.")
    ] = False,
    modality: Annotated[Modality, typer.Option(help="Intensity windows; auto goes by each scan.")] = "auto",
    workers: Annotated[int, typer.Option(help="Processes.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Check scans and labels, store them for training, and split them; run it again to go on where it stopped.

    Cases that were split before keep their part, and new ones join the split, unless --resplit is given.
    """
    for name, value, least in (("--folds", folds, 2), ("--workers", workers, 1), ("--seed", seed, 0)):
        if value is not None and value < least:
            raise InputError(f"{name} {value}: must be at least {least}")
    if test_share is not None and not 0 <= test_share < 1:
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
        told = {"cases": len(manifest.cases), "labelled": labelled, "refused": refused, "windows": windows}
        print_json({**told, "output": str(output)})
        return
    print_line(f"{counted(len(manifest.cases), 'case')}, {labelled} of them labelled: {output / 'cohort.html'}")
    _tell_windows([case.info for case in manifest.cases if case.info.modality is None])
    for refusal in manifest.refused[:_SHOWN]:
        print_line(f"left out: {refusal.case}: {refusal.reason}")
    if len(manifest.refused) > _SHOWN:
        print_line(f"and {len(manifest.refused) - _SHOWN} more: {output / 'refused.csv'}")


def _tell_windows(unsaid: Sequence[ScanInfo]) -> None:
    """Say which windows were chosen for scans whose files do not say what they are."""
    other = [info.case for info in unsaid if info.seen_as != "ct"]
    if not unsaid:
        return
    line = f"Intensity windows by the intensities: {len(unsaid) - len(other)} scans as CT, {len(other)} by percentiles"
    names = ", ".join(other[:_SHOWN]) + ", ..." * (len(other) > _SHOWN)
    mixed = 0 < len(other) < len(unsaid)
    print_line(f"{line}{f' ({names})' if mixed else ''}; --modality decides it.")
