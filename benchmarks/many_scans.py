"""What a process holds in memory that goes through many scans: whether it grows with them.

python -m benchmarks.many_scans propagations [--count 100]
python -m benchmarks.many_scans sessions [--count 100]
python -m benchmarks.many_scans page [--count 50]

Scans are phantoms. `propagations` calls ivos.propagate again and again in one process, `sessions` draws in a new
InteractiveSession each time, propagates, and takes that back. `page` opens scan after scan of the work list in
Chromium, which has to be installed (or named by IVOS_CHROMIUM), draws and propagates in each, and goes to the next one;
the memory is that of the server, beside what it counts itself and what the page's scripts hold.
"""

from __future__ import annotations

import gc
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import httpx2
import numpy as np
import psutil
import typer

import ivos
from benchmarks.annotation_tool import browser_page, disc, server_on
from benchmarks.measure import markdown
from ivos.phantom import abdomen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

    from ivos.volume.volume import Volume

_SHAPE = (16, 96, 96)
_PAGE_SHAPE = (60, 256, 256)
_STRUCTURE = 1
_ROWS = 10  # of a table

Count = Annotated[int, typer.Option(min=10, help="Scans, one after the other.")]
app = typer.Typer(add_completion=False)


@app.command()
def propagations(count: Count = 100) -> None:
    """Propagate through scan after scan in one process."""
    scan, drawn = _scan()

    def once() -> None:
        ivos.propagate(scan, drawn)

    _print("propagations", _memory_after_each(once, count))


@app.command()
def sessions(count: Count = 100) -> None:
    """Open session after session in one process, and propagate in each."""
    scan, drawn = _scan()
    middle = len(scan.array) // 2

    def once() -> None:
        session = ivos.InteractiveSession(scan)
        session.add(_STRUCTURE, "structure")
        session.draw(middle, _STRUCTURE, drawn.array[middle] > 0)
        for _ in session.propagate():
            pass
        session.click(middle, _STRUCTURE, positive=[(48, 48)])
        session.undo()

    _print("sessions", _memory_after_each(once, count))


@app.command()
def page(count: Count = 50) -> None:
    """Open scan after scan of the work list on the page, and leave it for the next one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "scans")
        folder.mkdir()
        scan = abdomen(0, shape=_PAGE_SHAPE).scan
        for number in range(count):
            ivos.write(folder / f"scan_{number:03d}.nii.gz", scan.with_array(scan.array + number))
        with server_on(folder) as (address, process), browser_page() as tab:
            rows = _every(list(_visit(tab, address, process)))
    print(markdown(["scans opened", "server, MB", "by its own count, MB", "scripts of the page, MB"], rows))


def _scan() -> tuple[Volume, Volume]:
    """A scan, and the largest organ of its middle slice."""
    phantom = abdomen(0, shape=_SHAPE)
    labels, middle = phantom.labels.array, _SHAPE[0] // 2
    largest = int(np.bincount(labels[middle].ravel())[1:].argmax()) + 1
    drawn = np.zeros_like(labels)
    drawn[middle][labels[middle] == largest] = _STRUCTURE
    return phantom.scan, phantom.labels.with_array(drawn)


def _memory_after_each(do: Callable[[], None], count: int) -> list[float]:
    """Resident memory in MB after each time."""
    process, held = psutil.Process(), []
    for _ in range(count):
        do()
        gc.collect()
        held.append(process.memory_info().rss / 2**20)
    return held


def _print(what: str, held: list[float]) -> None:
    print(markdown([what, "memory, MB"], _every([[str(n + 1), f"{mb:.0f}"] for n, mb in enumerate(held)])))
    first, last = np.mean(held[:10]), np.mean(held[-10:])
    print(f"\nThe last ten against the first ten: {100 * (last / first - 1):+.1f} %")


def _every(rows: list[list[str]]) -> list[list[str]]:
    """The first row and each that ends a tenth of them."""
    step = max(1, len(rows) // _ROWS)
    return [row for number, row in enumerate(rows, start=1) if number == 1 or number % step == 0]


def _visit(tab: Page, address: str, process: psutil.Process) -> Iterator[list[str]]:
    """A row for each scan, once it has been worked on."""
    tab.goto(address)
    with httpx2.Client(base_url=address, timeout=600) as client:
        for number, entry in enumerate(client.get("/api/scans").raise_for_status().json(), start=1):
            if number > 1:
                tab.get_by_role("button", name="Scans: ").click()
            tab.get_by_role("button", name=f"Open {entry['name']}", exact=True).click()
            tab.get_by_text("is open").first.wait_for()
            _work(client, f"/api/scans/{entry['id']}")
            counted = client.get(f"/api/scans/{entry['id']}").json()["memory"]["used_bytes"] / 2**20
            scripts = tab.evaluate("performance.memory.usedJSHeapSize") / 2**20
            held = process.memory_info().rss / 2**20
            yield [str(number), f"{held:.0f}", f"{counted:.0f}", f"{scripts:.0f}"]


def _work(client: httpx2.Client, scan: str) -> None:
    """Draw a structure and propagate it to the end."""

    def post(path: str, what: dict[str, Any]) -> None:
        client.post(f"{scan}/{path}", json=what).raise_for_status()

    middle, side = _PAGE_SHAPE[0] // 2, _PAGE_SHAPE[1]
    post("actions", {"do": "add", "name": "structure"})
    mask = disc(_PAGE_SHAPE[1:], side // 2, side // 2)
    post("actions", {"do": "draw", "structure": 1, "axis": "axial", "index": middle, "mask": mask})
    post("propagation", {"first": middle - 5, "last": middle + 5})
    while client.get(scan).raise_for_status().json()["job"] is not None:
        time.sleep(0.1)


if __name__ == "__main__":
    app()
