"""`ivos weights`: list, download and convert published weights; export networks to ONNX."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from ivos.cli.options import JsonOption, output_option
from ivos.cli.output import print_json, print_line
from ivos.cli.progress import progress_bar
from ivos.errors import InputError

if TYPE_CHECKING:
    from ivos.nets.published import PublishedWeights
    from ivos.nets.recognise import RecognisedWeights

Output = Annotated[Path, output_option("--output", "-o", help="Output folder.")]

_FOLDER = Path("weights")
_MB = 10**6

weights = typer.Typer(help="Published weights: list, download, import; export to ONNX.", no_args_is_help=True)


@weights.callback()
def _group() -> None:
    """Published weights: list, download, import; export to ONNX."""


@weights.command("list")
def list_known(as_json: JsonOption = False) -> None:
    """List the published weights that ivos supports: source, licence, checksum, and the command that uses them."""
    from ivos.nets.published import PUBLISHED

    if as_json:
        print_json([asdict(known) for known in PUBLISHED])
        return
    for known in PUBLISHED:
        print_line(f"{known.name}: {known.what}")
        for word, value in (
            ("file", known.file),
            ("address", known.address),
            ("page", known.page),
            ("licence", known.licence or "unknown, see the page"),
            ("sha256", known.sha256 or "unknown"),
            ("for", known.used_by),
        ):
            print_line(f"    {word:8} {value}")


@weights.command()
def download(
    name: Annotated[str, typer.Argument(help="Name in ivos weights list.")],
    output: Output = _FOLDER,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="MIRROR_OR_FOLDER", help="Mirror URL or local folder that contains the file."),
    ] = None,
) -> None:
    """Download published weights and verify them; run the same command again to resume.

    No other command of ivos downloads anything.
    """
    from ivos.io.download import checksum
    from ivos.nets.published import published

    known = published(name)
    path = output / known.file
    if path.exists():
        found = checksum(path)
        if not found.startswith(known.sha256 or ""):
            raise InputError(f"{path}: exists, and is another file (sha256 {found}); move it away")
        print_line(f"{path}: exists already{_checksum_note(known, found)}")
        return
    print_line(f"{path}: downloaded{_checksum_note(known, _fetch(known, path, source))}")


def _fetch(known: PublishedWeights, path: Path, source: str | None) -> str:
    from ivos.io.download import copy
    from ivos.io.download import download as fetch

    if source is not None and "://" not in source:
        return copy(Path(source) / known.file, path, sha256=known.sha256)
    address = known.address if source is None else f"{source.rstrip('/')}/{quote(known.file)}"
    with progress_bar(f"{known.name} (MB)") as progress:
        return fetch(
            address, path, sha256=known.sha256, progress=lambda done, total: progress(done // _MB, total // _MB)
        )


def _checksum_note(known: PublishedWeights, found: str) -> str:
    return ", checksum verified" if known.sha256 is not None else f"; no checksum is known, its sha256 is {found}"


@weights.command("import")
def import_files(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Checkpoints, as published or from ivos train.")
    ],
    output: Output = _FOLDER,
) -> None:
    """Identify networks in files, verify them, and convert them to safetensors with the parameter names of ivos."""
    from ivos.nets.recognise import recognise

    for file in files:
        for found in recognise(file):
            _convert(file, found, output)


def _convert(file: Path, found: RecognisedWeights, output: Path) -> None:
    if found.save is None:
        print_line(f"{file}: {found.what}; can be used directly: {_usage(found.used_by, file)}")
    else:
        path = output / f"{'-'.join(filter(None, (file.stem, found.part)))}.safetensors"
        if path.exists():
            raise InputError(f"{path}: exists; choose another folder with -o")
        found.save(path)
        print_line(f"{file}: {found.what}, written to {path}: {_usage(found.used_by, path)}")


def _usage(used_by: str, path: Path) -> str:
    return used_by.replace("FILE", str(path))


@weights.command()
def export(
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="WEIGHTS", help="Checkpoint to export (reference network or engine fast), or 'bundled'."
        ),
    ],
    output: Annotated[Path, output_option("--output", "-o", help="New or empty output folder.")],
) -> None:
    """Export a network as ONNX files, with a JSON description of inputs and outputs.

    Each file is compared with PyTorch first; nothing is kept if they differ by more than 1/10,000 of the largest value.
    """
    from ivos.nets.export import export as run

    files = run(None if checkpoint == "bundled" else Path(checkpoint), output)
    print_line(f"{output}: {', '.join(files)}; results equal those of PyTorch")
