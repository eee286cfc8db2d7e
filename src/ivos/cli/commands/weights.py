"""`ivos weights`: published weights listed, downloaded, and brought under our names."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from ivos.cli.terminal import print_json, print_line, progress_bar
from ivos.errors import InputError

if TYPE_CHECKING:
    from ivos.nets.published import PublishedWeights
    from ivos.nets.recognise import RecognisedWeights

Output = Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")]

_FOLDER = Path("weights")
_MB = 10**6

weights = typer.Typer(help="Published weights: list, download, import; export to ONNX.", no_args_is_help=True)


@weights.callback()
def _group() -> None:
    """Published weights: list, download, import; export to ONNX."""


@weights.command("list")
def list_known(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """The published weights that ivos knows: what they are, where from, under which licence, and what takes them."""
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
            ("licence", known.licence or "not known, see the page"),
            ("sha256", known.sha256 or "not known"),
            ("for", known.used_by),
        ):
            print_line(f"    {word:8} {value}")


@weights.command()
def download(
    name: Annotated[str, typer.Argument(help="As ivos weights list names them.")],
    output: Output = _FOLDER,
    source: Annotated[
        str | None, typer.Option("--from", metavar="MIRROR_OR_FOLDER", help="Another place that has the file.")
    ] = None,
) -> None:
    """Fetch published weights and check them; the same command goes on where it was cut off.

    No other command of ivos fetches anything.
    """
    from ivos.io.download import checksum
    from ivos.nets.published import published

    known = published(name)
    path = output / known.file
    if path.exists():
        found = checksum(path)
        if not found.startswith(known.sha256 or ""):
            raise InputError(f"{path}: is there, and is another file (sha256 {found}); move it away")
        print_line(f"{path}: is there already{_checked(known, found)}")
        return
    print_line(f"{path}: fetched{_checked(known, _fetched(known, path, source))}")


def _fetched(known: PublishedWeights, path: Path, source: str | None) -> str:
    from ivos.io.download import copy
    from ivos.io.download import download as fetch

    if source is not None and "://" not in source:
        return copy(Path(source) / known.file, path, sha256=known.sha256)
    address = known.address if source is None else f"{source.rstrip('/')}/{quote(known.file)}"
    with progress_bar(f"{known.name} (MB)") as progress:
        return fetch(
            address,
            path,
            sha256=known.sha256,
            progress=lambda done, total: progress(done // _MB, total // _MB),
        )


def _checked(known: PublishedWeights, found: str) -> str:
    return ", checksum right" if known.sha256 is not None else f"; no checksum is known, its sha256 is {found}"


@weights.command("import")
def import_files(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Weights as published, or ours.")],
    output: Output = _FOLDER,
) -> None:
    """Find out which networks files hold, check them, and write them as safetensors under our names."""
    from ivos.nets.recognise import recognise

    for file in files:
        for found in recognise(file):
            _import(file, found, output)


def _import(file: Path, found: RecognisedWeights, output: Path) -> None:
    if found.save is None:
        print_line(f"{file}: {found.what}; is used as it is: {_use(found.used_by, file)}")
    else:
        path = output / f"{'-'.join(filter(None, (file.stem, found.part)))}.safetensors"
        if path.exists():
            raise InputError(f"{path}: exists; choose another folder with -o")
        found.save(path)
        print_line(f"{file}: {found.what}, written to {path}: {_use(found.used_by, path)}")


def _use(used_by: str, path: Path) -> str:
    return used_by.replace("FILE", str(path))
