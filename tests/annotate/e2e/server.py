"""`ivos annotate` in a process of its own, which may be killed and started again."""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np

from tests.annotate.slow_server import FORKS, run_command
from tests.processes import HANG_S, waited

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

    import numpy.typing as npt
    from typing_extensions import Self


class Server:
    """A server on one scan, and what it says of it when it is asked without a browser.

    Args:
        scan: the file to open.
        folder: for what it prints.

    Attributes:
        address: where the page is; the same after it was started again.
    """

    def __init__(self, scan: Path, folder: Path) -> None:
        self._scan, self._folder, self._starts = scan, folder, 0
        self._process: ForkServerProcess
        self.address = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        port = self.address.rstrip("/").rpartition(":")[2] or "0"
        self._starts += 1
        out = self._folder / f"printed-{self._starts}"
        words = ["annotate", str(self._scan), "--no-browser", "--port", port]
        self._process = FORKS.Process(target=run_command, args=(out, words))
        self._process.start()
        waited(lambda: out.exists() and "\n" in out.read_text(), self._process)
        found = re.match(r"1 scan at (http://127\.0\.0\.1:\d+/) ", out.read_text())
        assert found
        self.address = found[1]

    def kill(self) -> None:
        """SIGKILL: it has no time for anything."""
        self._process.kill()
        self._process.join()

    def end(self) -> None:
        """Ctrl-C."""
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGINT)
        self._process.join(HANG_S)
        assert self._process.exitcode == 0

    def _get(self, rest: str) -> httpx2.Response:
        with httpx2.Client(base_url=self.address, timeout=HANG_S) as client:
            (scan,) = client.get("/api/scans").json()
            return client.get(f"/api/scans/{scan['id']}{rest}").raise_for_status()

    def scan(self) -> Any:
        """What it tells pages of the scan."""
        return self._get("").json()

    def ids(self) -> dict[str, int]:
        """The structures' ids by their names."""
        return {structure["name"]: structure["id"] for structure in self.scan()["structures"]}

    def labels(self) -> npt.NDArray[np.uint8]:
        """Label ids (Z, Y, X), canonical."""
        answer = self._get("/labels")
        shape = [int(n) for n in answer.headers["x-ivos-shape"].split(",")]
        return np.frombuffer(answer.content, np.uint8).reshape(shape)
