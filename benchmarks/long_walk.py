"""Time and peak memory of a long walk at full resolution: 400 slices of 512 x 512, 13 structures.

python -m benchmarks.long_walk [--slices 400] [--size 512] [--engine flow]
"""

from __future__ import annotations

import time
from typing import Annotated

import cv2
import numpy as np
import typer

from benchmarks.measure import markdown, measured
from ivos.phantom import abdomen
from ivos.propagation.engines.choose import choose_engine
from ivos.propagation.propagate import propagate
from ivos.volume.geometry import Geometry
from ivos.volume.volume import Volume


def scan_and_slices(slices: int, size: int) -> tuple[Volume, Volume]:
    """A phantom abdomen stretched to the size asked for, slice by slice, with the largest slice of each organ drawn."""
    small = abdomen(1, shape=(100, 256, 256))
    numbers = np.linspace(0, 99, slices).round().astype(int)
    scan, drawn = np.empty((slices, size, size), np.int16), np.zeros((slices, size, size), np.uint8)
    for z, number in enumerate(numbers):
        cv2.resize(small.scan.array[number], (size, size), dst=scan[z], interpolation=cv2.INTER_LINEAR)
    for organ in small.labels.names:
        number = int((small.labels.array == organ).sum(axis=(1, 2)).argmax())
        z = int(np.flatnonzero(numbers == number)[0])
        drawn[z] = cv2.resize(small.labels.array[number], (size, size), interpolation=cv2.INTER_NEAREST)
    grid = Geometry(scan.shape, (1.0, 0.8, 0.8), (0.0, 0.0, 0.0))
    return Volume.from_array(scan, grid, modality="CT"), Volume.from_array(drawn, grid)


def walk_it(slices: int, size: int, engine: str) -> tuple[int, float]:
    """Structures walked, and the seconds of the walk alone."""
    scan, drawn = scan_and_slices(slices, size)
    started = time.perf_counter()
    result = propagate(scan, drawn, engine=choose_engine(engine), axis="axial")  # type: ignore[arg-type]
    return int(np.unique(result.labels.array).size) - 1, time.perf_counter() - started


def main(
    slices: Annotated[int, typer.Option(help="Slices of the scan.")] = 400,
    size: Annotated[int, typer.Option(help="Rows and columns.")] = 512,
    engine: Annotated[str, typer.Option(help="flow or nearest.")] = "flow",
) -> None:
    """Walk once over a long scan."""
    run = measured(walk_it, slices, size, engine)
    structures, seconds = run.result
    row = [f"{slices} x {size} x {size}, {engine}", str(structures), f"{seconds:.0f}", f"{seconds / slices:.3f}"]
    print(markdown(["walk", "structures", "seconds", "per slice", "peak MB"], [[*row, f"{run.peak_mb:.0f}"]]))


if __name__ == "__main__":
    typer.run(main)
