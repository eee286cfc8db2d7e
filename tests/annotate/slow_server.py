"""A server in a process of its own whose engine takes its time, so that it can be killed in the middle."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

from ivos.annotate.server.security import Access
from ivos.annotate.server.serve import listening, serve
from ivos.annotate.server.service import Service
from ivos.annotate.session import jobs
from ivos.annotate.session.networks import Networks
from ivos.cli.main import main
from ivos.propagation.engines.nearest import NearestEngine
from tests.cli.preloaded import __name__ as preloaded

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.propagation.engines.protocol import Slice
    from ivos.propagation.masks import Masks

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([preloaded])  # as the tests of the command line have it


class SlowEngine(NearestEngine):
    def predict(self, image: Slice, opposite: Masks | None) -> Masks:
        time.sleep(0.05)
        return super().predict(image, opposite)


class BrokenEngine(NearestEngine):
    def predict(self, image: Slice, opposite: Masks | None) -> Masks:
        raise RuntimeError(f"no memory for slice {image.index}, {opposite is None}")


def run_slow_server(folder: Path) -> None:
    """Serve a folder's scan on a free port, which goes into a file there."""
    jobs._TELL_EVERY_S = 0.0  # every slice is told of at once
    server = listening("127.0.0.1", 0)
    service = Service(folder / "ivos-work", [folder / "scan.nii.gz"], Networks(engine=SlowEngine))
    (folder / "new").write_text(str(server.getsockname()[1]))
    (folder / "new").rename(folder / "port")
    serve(server, service, Access.to("127.0.0.1", None, None))


def run_command(out: Path, words: list[str]) -> None:
    """Run the command line with what it prints in a file."""
    os.dup2(os.open(out, os.O_WRONLY | os.O_CREAT), 1)
    sys.argv = ["ivos", *words]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # where tests run in the background it is ignored
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    main()
