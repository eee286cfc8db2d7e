"""`ivos demo` and `ivos phantom`: synthetic scans, and an end-to-end example on one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ivos.cli.options import output_option
from ivos.cli.output import print_line
from ivos.cli.progress import progress_bar
from ivos.errors import InputError, counted

_SHAPE = (72, 256, 256)
_ANNOTATED_SLICES = 7


def demo(
    output: Annotated[
        Path, output_option("--output", "-o", help="Folder for the scan, the labels and the report.")
    ] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Random seed of the synthetic patient.")] = 7,
) -> None:
    """End-to-end example: generate a synthetic abdomen, annotate some slices, propagate, evaluate, write a report."""
    import numpy as np

    from ivos.io.write import write_volume
    from ivos.metrics.evaluation import evaluate
    from ivos.metrics.overlap import dsc
    from ivos.phantom import abdomen
    from ivos.propagation.propagate import propagate
    from ivos.report import write_report

    started = time.perf_counter()
    case = abdomen(seed, shape=_SHAPE)
    made_s = time.perf_counter() - started
    labelled = np.flatnonzero(case.labels.array.any(axis=(1, 2)))
    chosen = np.linspace(labelled[0], labelled[-1], _ANNOTATED_SLICES + 2).round().astype(int)[1:-1]
    array = np.zeros_like(case.labels.array)
    array[chosen] = case.labels.array[chosen]
    annotated = case.labels.with_array(array, case.labels.names)
    for name, volume in (("scan", case.scan), ("slices", annotated), ("truth", case.labels)):
        write_volume(output / f"{name}.nii.gz", volume)
    print_line(
        f"A synthetic abdomen, {case.scan.source.describe()}; annotated: {_ANNOTATED_SLICES} slices of {_SHAPE[0]}."
    )

    started = time.perf_counter()
    with progress_bar("Propagating") as progress:
        result = propagate(case.scan, annotated, complete=True, progress=progress)
    seconds = {"make the scan": made_s, "propagate": time.perf_counter() - started}
    write_volume(output / "labels.nii.gz", result.labels)
    others = np.setdiff1d(np.arange(_SHAPE[0]), chosen)
    found, true = result.labels.array[others], case.labels.array[others]
    others_dsc = np.nanmean([dsc(found == organ, true == organ) for organ in case.labels.names])
    scores = evaluate(result.labels, case.labels)
    write_report(output, case.scan, result, title="A synthetic abdomen", engine="fast", seconds=seconds, scores=scores)
    print_line(
        f"Mean DSC of {len(scores)} organs on the {len(others)} other slices: {others_dsc:.3f}, "
        f"in {seconds['propagate']:.1f} s."
    )
    print_line(f"Open {output / 'report.html'}")


def phantom(
    output: Annotated[Path, output_option("--output", "-o", help="Folder for images/ and labels/ (FLARE22 layout).")],
    cases: Annotated[int, typer.Option("--cases", "-n", help="Number of cases.")] = 1,
    seed: Annotated[int, typer.Option(help="Random seed; equal seeds give equal cases.")] = 0,
    size: Annotated[
        str | None, typer.Option(help="Size in voxels as x,y,z, such as 128,128,40. Default: random for each case.")
    ] = None,
) -> None:
    """Generate synthetic abdominal CT scans with exact labels of the 13 FLARE22 organs."""
    from ivos.phantom import write_cohort

    if cases < 1:
        raise InputError(f"--cases {cases}: must be at least 1")
    shape = None if size is None else _parse_shape(size)
    with progress_bar("Generating") as progress:
        names = write_cohort(output, cases, seed=seed, shape=shape, progress=lambda done: progress(done, cases))
    print_line(f"{counted(len(names), 'case')} in {output}: images/ and labels/")


def _parse_shape(text: str) -> tuple[int, int, int]:
    parts = text.replace("x", ",").split(",")
    if len(parts) != 3 or not all(part.strip().isdigit() and 16 <= int(part) <= 1024 for part in parts):
        raise InputError(f"--size {text}: give three numbers of 16 to 1024 voxels, like 128,128,40 (x, y, z)")
    x, y, z = (int(part) for part in parts)
    return z, y, x
