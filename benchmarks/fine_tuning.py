"""What fine-tuning on own labelled scans brings: DSC on other scans of that kind, before and after.

python -m benchmarks.fine_tuning [--scans 10] [--steps 1000] [--folder RUN]

The scans are packed cells as an electron microscope shows them: nothing like what the bundled weights were trained on.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.cases import Case
from benchmarks.cells import cells
from benchmarks.compare import compare
from benchmarks.engines import Contender
from benchmarks.one_slice import one_slice
from ivos.io.write import write_volume

if TYPE_CHECKING:
    from collections.abc import Iterable

_IVOS = "from ivos.cli.main import main; main()"
_TESTED, _FIRST_TESTED = 3, 100


def main(
    scans: Annotated[int, typer.Option(min=1, help="Labelled scans to train on.")] = 10,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps.")] = 1000,
    folder: Annotated[Path | None, typer.Option(help="Keep scans and run here; an existing run is resumed.")] = None,
) -> None:
    """Fine-tune the bundled network and compare."""
    with tempfile.TemporaryDirectory() as temporary:
        place = folder or Path(temporary)
        _write(place / "train", range(scans))
        cases = [
            Case(f"cells {path.name.split('.')[0]}", path, place / "test" / "labels" / path.name)
            for path in _write(place / "test", range(_FIRST_TESTED, _FIRST_TESTED + _TESTED))
        ]
        own = (f"data.scans={place / 'train'}", f"steps={steps}", "-o", str(place / "run"))
        command = ("-c", _IVOS, "train", "propagation", *own)
        subprocess.run([sys.executable, *command], check=True)
        print("Before:")
        compare(one_slice, cases, [Contender("flow"), Contender("fast")], per_structure=False)
        print("After:")
        compare(one_slice, cases, [Contender("fast", place / "run" / "fast.safetensors")], per_structure=False)


def _write(folder: Path, seeds: Iterable[int]) -> list[Path]:
    """Scans into ``images`` and labels into ``labels``; the scans' paths."""
    paths = []
    for seed in seeds:
        phantom, name = cells(seed), f"{seed:03d}.nii.gz"
        paths.append(folder / "images" / name)
        write_volume(paths[-1], phantom.scan)
        write_volume(folder / "labels" / name, phantom.labels)
    return paths


if __name__ == "__main__":
    typer.run(main)
