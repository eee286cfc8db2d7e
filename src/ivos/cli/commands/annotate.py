"""`ivos annotate`: the annotation page in the browser."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivos.cli import options
from ivos.cli.commands.train import require_packages
from ivos.cli.output import print_line
from ivos.errors import counted

if TYPE_CHECKING:
    from ivos.annotate.server.security import Access

server_option = partial(typer.Option, rich_help_panel="Server")


def annotate(
    path: Annotated[
        Path,
        typer.Argument(help="Scan (NIfTI, NRRD, MetaImage, DICOM folder or .zip), or a folder of scans (a work list)."),
    ],
    work: Annotated[
        Path | None, options.output_option(help="Work folder. Default: ivos-work next to the scan.")
    ] = None,
    reference: Annotated[
        list[Path] | None,
        options.model_option(help="Weights of a reference network for automatic segmentation; repeat for an ensemble."),
    ] = None,
    propagation: Annotated[
        Path | None, options.model_option(help="Weights of a propagation network. Default: the bundled one.")
    ] = None,
    strokes: Annotated[
        Path | None,
        options.model_option(help="Weights of a network for clicks, scribbles and boxes. Default: the bundled one."),
    ] = None,
    device: options.DeviceOption = "auto",
    modality: options.ModalityOption = "auto",
    port: Annotated[int, server_option(min=0, max=65535, help="TCP port (0: any free port).")] = 8765,
    host: Annotated[
        str, server_option(help="Address to listen on. 127.0.0.1: this machine only; others require an access token.")
    ] = "127.0.0.1",
    token: Annotated[str | None, server_option(help="Access token (generated if omitted and required).")] = None,
    public: Annotated[
        str | None, server_option(help="Public URL of a TLS proxy: https://annotate.example.org.")
    ] = None,
    no_browser: Annotated[bool, server_option("--no-browser", help="Do not open a browser.")] = False,
    series: options.SeriesOption = None,
    stack: options.StackOption = None,
) -> None:
    """Open the annotation page in the browser: annotate, propagate, correct, export.

    Every change is saved to disk immediately; stop the server with Ctrl-C at any time.
    """
    with require_packages("annotating", "annotate"):
        from ivos.annotate.server.security import Access
        from ivos.annotate.server.serve import address_of, listening, serve
        from ivos.annotate.server.service import Service
        from ivos.annotate.session.networks import Networks
        from ivos.annotate.storage.worklist import scans_in, work_folder_for

    folder = work_folder_for(path) if work is None else work
    scans = scans_in(path, folder)
    access = Access.to(host, token, public)
    networks = Networks.load(reference or [], propagation, strokes, device)
    server = listening(host, port)
    service = Service(folder, scans, networks, series, stack, modality)
    address = public if public is not None else address_of(server, host)
    _print_address(address, access, many=len(scans))
    if not no_browser:
        import webbrowser

        webbrowser.open(_with_token(address_of(server, host), access))
    with suppress(KeyboardInterrupt):  # the server has ended in good order by then
        serve(server, service, access)
    print_line("Stopped. Your work is saved.")


def _print_address(address: str, access: Access, *, many: int) -> None:
    """Print the address, and how to encrypt the connection where other machines can reach it."""
    from ivos.annotate.server.security import is_loopback

    scans = counted(many, "scan")
    print_line(f"{scans} at {_with_token(address, access)} (Ctrl-C to stop)")
    if not is_loopback(access.host):
        print_line(
            "The connection is not encrypted. To share the server, listen on 127.0.0.1 behind a TLS proxy (Caddy: "
            "'annotate.example.org { reverse_proxy 127.0.0.1:8765 }') and add --public https://annotate.example.org."
        )


def _with_token(address: str, access: Access) -> str:
    return address if access.token is None else f"{address.rstrip('/')}/?token={access.token}"
