"""`ivos annotate`: the page in which a person segments scans."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivos.cli.series_options import SeriesOption, StackOption
from ivos.cli.terminal import print_line
from ivos.device import DeviceChoice
from ivos.errors import InputError, counted
from ivos.volume.windows import Modality

if TYPE_CHECKING:
    from ivos.annotate.server.security import Access


def annotate(
    path: Annotated[
        Path,
        typer.Argument(help="A scan (NIfTI, NRRD, MetaImage, DICOM folder or zip), or a folder of scans: a work list."),
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where it listens; 0 takes a free one.")] = 8765,
    host: Annotated[
        str, typer.Option(help="Who can reach it: 127.0.0.1 this machine alone; others have to show a token.")
    ] = "127.0.0.1",
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.")] = False,
    work: Annotated[
        Path | None, typer.Option(help="Folder for all that is kept; default: ivos-work beside the scan.")
    ] = None,
    token: Annotated[str | None, typer.Option(help="What has to be shown; made up if needed and not given.")] = None,
    public: Annotated[
        str | None,
        typer.Option(help="The address under which a proxy with TLS shows it: https://annotate.example.org."),
    ] = None,
    reference: Annotated[
        list[Path] | None, typer.Option(help="Weights of a reference network that finds organs; repeat for several.")
    ] = None,
    propagation: Annotated[
        Path | None, typer.Option(help="Weights of a network that propagates; default: the bundled one.")
    ] = None,
    strokes: Annotated[
        Path | None, typer.Option(help="Weights of a network that makes masks of strokes; default: the bundled one.")
    ] = None,
    device: Annotated[DeviceChoice, typer.Option(help="Where networks run.")] = "auto",
    modality: Annotated[
        Modality, typer.Option(help="Intensity windows, of all scans; auto goes by each scan.")
    ] = "auto",
    series: SeriesOption = None,
    stack: StackOption = None,
) -> None:
    """Open a page in the browser in which a person goes from nothing to a corrected volume.

    Everything is on the disk before it is acknowledged; Ctrl-C ends it at any time.
    """
    try:
        from ivos.annotate.server.security import Access
        from ivos.annotate.server.serve import address_of, listening, serve
        from ivos.annotate.server.service import Service
        from ivos.annotate.session.networks import Networks
        from ivos.annotate.storage.worklist import scans_in, work_folder_for
    except ModuleNotFoundError as error:
        raise InputError(f"annotating needs {error.name}: pip install 'ivos[annotate]'") from error

    folder = work_folder_for(path) if work is None else work
    scans = scans_in(path, folder)
    access = Access.to(host, token, public)
    networks = Networks.load(reference or [], propagation, strokes, device)
    server = listening(host, port)
    service = Service(folder, scans, networks, series, stack, modality)
    address = public if public is not None else address_of(server, host)
    _say(address, access, many=len(scans))
    if not no_browser:
        import webbrowser

        webbrowser.open(_with_token(address_of(server, host), access))
    with suppress(KeyboardInterrupt):  # the server has ended in good order by then
        serve(server, service, access)
    print_line("Stopped. Everything is kept.")


def _say(address: str, access: Access, *, many: int) -> None:
    """One line with the address, and how to put TLS before it where others come by."""
    from ivos.annotate.server.security import is_loopback

    scans = counted(many, "scan")
    print_line(f"{scans} at {_with_token(address, access)} (Ctrl-C to stop)")
    if not is_loopback(access.host):
        print_line(
            "Not encrypted: for others than this machine listen on 127.0.0.1, put a proxy with TLS before it (Caddy: "
            "'annotate.example.org { reverse_proxy 127.0.0.1:8765 }') and add --public https://annotate.example.org."
        )


def _with_token(address: str, access: Access) -> str:
    return address if access.token is None else f"{address.rstrip('/')}/?token={access.token}"
