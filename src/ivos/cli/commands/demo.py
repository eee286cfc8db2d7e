"""`ivos demo`: the whole way on a synthetic scan."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ivos.cli.terminal import print_line, progress_bar

_SHAPE = (72, 256, 256)
_DRAWN_SLICES = 7


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the scan, the labels and the report.")
    ] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Another seed, another patient.")] = 7,
) -> None:
    """Make a synthetic abdomen, draw a few of its slices, propagate them, score the result, write a report."""
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
    chosen = np.linspace(labelled[0], labelled[-1], _DRAWN_SLICES + 2).round().astype(int)[1:-1]
    array = np.zeros_like(case.labels.array)
    array[chosen] = case.labels.array[chosen]
    drawn = case.labels.with_array(array, case.labels.names)
    for name, volume in (("scan", case.scan), ("slices", drawn), ("truth", case.labels)):
        write_volume(output / f"{name}.nii.gz", volume)
    print_line(f"A synthetic abdomen, {case.scan.source.describe()}; drawn: {_DRAWN_SLICES} slices of {_SHAPE[0]}.")

    started = time.perf_counter()
    with progress_bar("Propagating") as progress:
        result = propagate(case.scan, drawn, complete=True, progress=progress)
    seconds = {"make the scan": made_s, "propagate": time.perf_counter() - started}
    write_volume(output / "labels.nii.gz", result.labels)
    undrawn = np.setdiff1d(np.arange(_SHAPE[0]), chosen)
    found, true = result.labels.array[undrawn], case.labels.array[undrawn]
    undrawn_dsc = np.nanmean([dsc(found == organ, true == organ) for organ in case.labels.names])
    scores = evaluate(result.labels, case.labels)
    write_report(output, case.scan, result, title="A synthetic abdomen", engine="fast", seconds=seconds, scores=scores)
    print_line(
        f"Mean DSC of {len(scores)} organs on the {len(undrawn)} other slices: {undrawn_dsc:.3f}, "
        f"in {seconds['propagate']:.1f} s."
    )
    print_line(f"Open {output / 'report.html'}")
