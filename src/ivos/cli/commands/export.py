"""`ivos weights export`: a network as ONNX files, for runtimes other than PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ivos.cli.terminal import print_line


def export(
    weights: Annotated[
        str, typer.Argument(metavar="WEIGHTS", help="Of a reference network or the engine fast; or 'bundled'.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to, new or empty.")],
) -> None:
    """Write a network as ONNX files with a card (JSON) that says what goes in and out.

    Each file is run beside PyTorch first; where they differ by more than 1/10,000 of the largest value nothing is kept.
    """
    from ivos.nets.export import export as run

    files = run(None if weights == "bundled" else Path(weights), output)
    print_line(f"{output}: {', '.join(files)}; the same as PyTorch")
