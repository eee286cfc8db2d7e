"""Time and peak memory of a walk at full resolution: 400 slices of 512 x 512 with 13 structures, and with 26.

python -m benchmarks.speed [--engine NAME ...] [--slices 400] [--size 512] [--checkpoint STCN] [--fast-checkpoint FILE]

The seconds are of everything but making the scan: loading the engine, all passes, the labels. The 26 structures are
the 13 organs cut into halves, on the same drawn slices of the same scan.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import cv2
import numpy as np
import typer

from benchmarks.cases import largest_slice
from benchmarks.engines import Checkpoint, Contender, Engines, FastCheckpoint, contenders
from benchmarks.measure import markdown, measure_call
from ivos.phantom import abdomen
from ivos.propagation.propagate import propagate
from ivos.volume.geometry import Geometry
from ivos.volume.volume import Volume

if TYPE_CHECKING:
    from ivos.phantom.case import Phantom
    from ivos.types import Array


def phantom() -> Phantom:
    """The abdomen that is stretched."""
    return abdomen(1, shape=(100, 256, 256))


def scan_and_slices(small: Phantom, slices: int, size: int, *, halved: bool) -> tuple[Volume, Volume]:
    """A phantom stretched to the size asked for, slice by slice, with the largest slice of each organ drawn."""
    labels = _halve(small.labels) if halved else small.labels.array
    numbers = np.linspace(0, len(labels) - 1, slices).round().astype(int)
    scan, drawn = np.empty((slices, size, size), np.int16), np.zeros((slices, size, size), np.uint8)
    for z, number in enumerate(numbers):
        cv2.resize(small.scan.array[number], (size, size), dst=scan[z], interpolation=cv2.INTER_LINEAR)
    for organ in small.labels.names:
        z = int(np.abs(numbers - largest_slice(small.labels, organ)).argmin())
        drawn[z] = cv2.resize(labels[numbers[z]], (size, size), interpolation=cv2.INTER_NEAREST)
    grid = Geometry(scan.shape, (1.0, 0.8, 0.8), (0.0, 0.0, 0.0))
    return Volume.from_array(scan, grid, modality="CT"), Volume.from_array(drawn, grid)


def _halve(labels: Volume) -> Array:
    """Labels with every organ cut by a sagittal plane through the middle of its largest slice."""
    array = labels.array.copy()
    highest = max(labels.names)
    for organ in labels.names:
        columns = np.nonzero(labels.array[largest_slice(labels, organ)] == organ)[1]
        right = array[:, :, round(float(np.median(columns))) :]
        right[right == organ] = highest + organ
    return array


def walk_it(small: Phantom, slices: int, size: int, halved: bool, engine: Contender) -> tuple[int, float]:
    """Structures walked, and the seconds of it."""
    scan, drawn = scan_and_slices(small, slices, size, halved=halved)
    started = time.perf_counter()
    result = propagate(scan, drawn, engine=engine.load(), axis="axial")
    seconds = time.perf_counter() - started
    return int(np.unique(result.labels.array).size) - 1, seconds


def main(
    slices: Annotated[int, typer.Option(min=2, help="Slices of the scan.")] = 400,
    size: Annotated[int, typer.Option(min=64, help="Rows and columns.")] = 512,
    engine: Engines = None,
    checkpoint: Checkpoint = None,
    fast_checkpoint: FastCheckpoint = None,
) -> None:
    """Walk over a long scan with 13 structures and with 26."""
    rows = []
    small = measure_call(phantom).result  # not in this process: the peak of a process counts in those that it starts
    for contender in contenders(engine, checkpoint, fast_checkpoint):
        first_s = 0.0
        for halved in (False, True):
            run = measure_call(walk_it, small, slices, size, halved, contender)
            structures, seconds = run.result
            first_s = first_s or seconds
            row = [f"{slices} x {size} x {size}, {contender.name}", str(structures), f"{seconds:.1f}"]
            row += [f"{seconds / slices:.3f}", f"{seconds / first_s:.2f}" if halved else "", f"{run.peak_mb:.0f}"]
            rows.append(row)
    print(markdown(["walk", "structures", "seconds", "per slice", "ratio 26/13", "peak MB"], rows))


if __name__ == "__main__":
    typer.run(main)
