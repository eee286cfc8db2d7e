"""Jobs that cost nothing, for what happens around them."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ivos.errors import InputError
from ivos.pipelines.protocol import Case, Done

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class CountingJob:
    """Writes the number of letters of a case's file; the file can ask for more.

    A file that begins with ``refuse`` is refused, with ``die`` kills its process, with ``die once`` does so the first
    time, with ``kill the reader`` does so before the work on it, with ``raise`` is a defect, with ``full`` finds the
    disk full, with ``sleep`` takes a while.

    Attributes:
        factor: the number is multiplied by it.
    """

    factor: int = 1
    opens: bool = True
    name: str = field(default="count", init=False)

    def settings(self) -> dict[str, Any]:
        return {"factor": self.factor}

    def open(self) -> CountingWorker:
        if not self.opens:
            raise InputError("weights.pt: no such checkpoint file")
        return CountingWorker(self.factor)


class CountingWorker:
    def __init__(self, factor: int) -> None:
        self._factor = factor

    def read(self, case: Case) -> str:
        with open(case.inputs["scan"]) as file:  # noqa: PTH123 - as paths come
            text = file.read()
        if text.startswith("refuse"):
            raise InputError(f"{case.inputs['scan']}: not a scan")
        if text.startswith("kill the reader"):
            os.kill(os.getpid(), signal.SIGKILL)
        return text

    def work(self, case: Case, data: str) -> int:
        marker = f"{case.inputs['scan']}.died"
        if data.startswith("die") and not (data == "die once" and os.path.exists(marker)):  # noqa: PTH110
            open(marker, "w").close()  # noqa: PTH123
            os.kill(os.getpid(), signal.SIGKILL)
        if data.startswith("raise"):
            raise ZeroDivisionError(f"by {case.inputs['scan']}")
        if data.startswith("full"):
            raise OSError(28, "No space left on device")
        if data.startswith("sleep"):
            time.sleep(0.4)
        return len(data) * self._factor

    def write(self, case: Case, result: int, output: Path) -> Done:
        (output / f"{case.name}.txt").write_text(str(result))
        with (output / "written.log").open("a") as log:
            log.write(f"{case.name}\n")
        return Done({"labels": f"{case.name}.txt"}, {"letters": result})
