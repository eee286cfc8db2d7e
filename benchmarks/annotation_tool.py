"""What a person waits for in `ivos annotate`, and what the server takes in an hour of use.

python -m benchmarks.annotation_tool [--minutes 60] [--slices 300] [--size 512]

The scan is a phantom with 13 organs, each drawn on the slice where it is largest. What is on the screen is timed in
Chromium, which has to be installed (or named by IVOS_CHROMIUM), as its page draws it. The use is scripted and asks the
server without a browser: in turns a structure is corrected, carried to the slices around, taken back, done again and
clicked on, without any pause.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import httpx2
import numpy as np
import psutil
import typer
from playwright.sync_api import sync_playwright

from benchmarks.measure import markdown, measure_call
from benchmarks.speed import phantom, scan_and_slices
from ivos.errors import InputError
from ivos.io.write import write_volume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt
    from playwright.sync_api import Page

_STROKES = 10
_REACH = 15  # slices before and after a correction that it is carried to
_RADIUS = 12  # of a correction, pixels
_PATIENCE_MS = 600_000
_EVERY_S = 600

_FIRST_PICTURE = """() => {
  const grey = document.querySelector("canvas.grey");
  const {data} = grey.getContext("2d").getImageData(grey.width / 2 - 40, grey.height / 2 - 40, 80, 80);
  return data.some((value, at) => at % 4 < 3 && value > 0);
}"""
_MIDDLE = """canvas => {
  const {x, y, width, height} = canvas.getBoundingClientRect();
  return [x + width / 2, y + height / 2];
}"""
_WATCH = """() => {
  window.seenAfterMs = null;
  window.addEventListener("pointerup", () => {
    const began = performance.now();
    const saved = document.querySelector("footer .saved");
    let sent = false;
    const look = () => {  // the labels are fetched and drawn before the page says that all is saved
      sent ||= saved.textContent !== "Saved";
      if (!sent || saved.textContent !== "Saved") return requestAnimationFrame(look);
      requestAnimationFrame(() => window.seenAfterMs = performance.now() - began);
    };
    look();
  }, {once: true, capture: true});
}"""


class Server(NamedTuple):
    """A server on the scan.

    Attributes:
        address: of the page.
        process: that serves.
        started_s: from the command to its address.
        client: asks it without a browser.
        scan: address of the scan.
    """

    address: str
    process: psutil.Process
    started_s: float
    client: httpx2.Client
    scan: str

    @property
    def rss_mb(self) -> float:
        """What its process holds in memory."""
        return float(self.process.memory_info().rss) / 2**20

    def act(self, do: str, **more: Any) -> None:
        """Do something, and fetch what it changed as a page does."""
        changed = self.post("actions", {"do": do, **more})["changed"]
        if changed:
            self.client.get(f"{self.scan}/labels", params=changed).raise_for_status()

    def post(self, path: str, what: dict[str, Any]) -> Any:
        """Send a request."""
        return self.client.post(f"{self.scan}/{path}", json=what).raise_for_status().json()

    def propagate(self, **asked: Any) -> float:
        """Propagate to the end; the seconds of it."""
        began = time.perf_counter()
        self.post("propagation", asked)
        while self.client.get(self.scan).raise_for_status().json()["job"] is not None:
            time.sleep(0.2)
        return time.perf_counter() - began


@contextmanager
def server_on(scans: Path) -> Iterator[tuple[str, psutil.Process]]:
    """`ivos annotate` on scans, in a process of its own: the address of its page, and the process."""
    command = [str(Path(sys.executable).with_name("ivos")), "annotate", str(scans), "--no-browser", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        found = re.search(r"http://\S+", next(iter(process.stdout or ()), ""))
        if found is None:
            raise InputError("the server has not started: see what it says above")
        try:
            yield found[0], psutil.Process(process.pid)
        finally:
            process.terminate()


@contextmanager
def serve(scan: Path) -> Iterator[Server]:
    """`ivos annotate` on a scan."""
    began = time.perf_counter()
    with server_on(scan) as (address, process):
        started_s = time.perf_counter() - began
        with httpx2.Client(base_url=address, timeout=600) as client:
            (entry,) = client.get("/api/scans").json()
            yield Server(address, process, started_s, client, f"/api/scans/{entry['id']}")


@contextmanager
def browser_page() -> Iterator[Page]:
    """An empty page in a browser of its own."""
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = os.environ.get("IVOS_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if chromium is None:
        raise InputError("no Chromium is here: install it, or set IVOS_CHROMIUM to it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.set_default_timeout(_PATIENCE_MS)
        yield page
        browser.close()


def first_picture_s(page: Page, address: str) -> float:
    """From asking for the page to a slice on the screen."""
    page.goto("about:blank")
    began = time.perf_counter()
    page.goto(address)
    while not page.evaluate(_FIRST_PICTURE):
        time.sleep(0.01)
    return time.perf_counter() - began


def on_screen_ms(page: Page, tool: str) -> float:
    """From letting the mouse go to the changed mask on the screen, the median of several strokes."""
    page.get_by_role("button", name=tool, exact=True).click()
    x, y = page.locator("canvas.above").evaluate(_MIDDLE)
    taken = []
    for stroke in range(_STROKES):
        page.keyboard.press("ArrowUp")
        page.mouse.move(x - 60, y + 10 * stroke)
        page.evaluate(_WATCH)
        page.mouse.down()
        if tool == "Brush":
            page.mouse.move(x + 60, y + 10 * stroke, steps=10)
        page.mouse.up()
        while (seen_after_ms := page.evaluate("window.seenAfterMs")) is None:
            time.sleep(0.02)
        taken.append(float(seen_after_ms))
    return statistics.median(taken)


def median_ms(do: Callable[[int], None]) -> float:
    """The median time of doing something several times."""
    taken = []
    for number in range(_STROKES):
        began = time.perf_counter()
        do(number)
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


def disc(shape: tuple[int, int], row: int, column: int) -> dict[str, Any]:
    """A round mask as it goes over the wire."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    mask = (rows - row) ** 2 + (columns - column) ** 2 <= _RADIUS**2
    top, left = max(row - _RADIUS, 0), max(column - _RADIUS, 0)
    cut = mask[top : row + _RADIUS + 1, left : column + _RADIUS + 1]
    return {"top": top, "left": left, "shape": cut.shape, "bits": base64.b64encode(np.packbits(cut).tobytes()).decode()}


def one_turn(server: Server, labels: npt.NDArray[np.uint8], rng: np.random.Generator) -> None:
    """What a person does again and again, at a place of some structure."""
    index, row, column = (int(place) for place in rng.choice(np.argwhere(labels)))
    structure = int(labels[index, row, column])
    on_slice = {"structure": structure, "axis": "axial", "index": index}
    server.act("brush", **on_slice, mask=disc(labels.shape[1:], row, column), erase=bool(rng.integers(2)))
    first, last = max(index - _REACH, 0), min(index + _REACH, len(labels) - 1)
    server.propagate(first=first, last=last, structures=[structure])
    server.act("undo")
    server.act("redo")
    server.act("click", **on_slice, positive=[[row, column]], negative=[])
    server.act("undo")
    server.client.get(f"{server.scan}/suggestions").raise_for_status()


def memory_rows(server: Server, folder: Path, minutes: float) -> list[list[str]]:
    """Turns, memory and size of the work folder, every ten minutes."""
    rng, turns = np.random.default_rng(0), 0
    answer = server.client.get(f"{server.scan}/labels").raise_for_status()
    shape = [int(n) for n in answer.headers["x-ivos-shape"].split(",")]
    labels = np.frombuffer(answer.content, np.uint8).reshape(shape)

    def row(minute: float) -> list[str]:
        kept_mb = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20
        return [f"{minute:.0f}", str(turns), f"{server.rss_mb:.0f}", f"{kept_mb:.0f}"]

    began, rows = time.monotonic(), [row(0)]
    while (so_far_s := time.monotonic() - began) < minutes * 60:
        one_turn(server, labels, rng)
        turns += 1
        if (time.monotonic() - began) // _EVERY_S > so_far_s // _EVERY_S:
            rows.append(row((time.monotonic() - began) / 60))
    return [*rows, row(minutes)]


def waiting(server: Server, drawn: Path) -> list[list[str]]:
    """What a person waits for, with the labels of a file as what is drawn."""
    with browser_page() as page:
        cold_s, warm_s = first_picture_s(page, server.address), first_picture_s(page, server.address)
        opened_mb = server.rss_mb
        with drawn.open("rb") as file:
            server.client.post(f"{server.scan}/labels?drawn=true", files={"file": file}).raise_for_status()
        first_picture_s(page, server.address)
        page.get_by_role("button", name="Skip", exact=True).click()
        brush_ms, click_ms = on_screen_ms(page, "Brush"), on_screen_ms(page, "Click")
    depth, *shape = server.client.get(server.scan).json()["shape"]
    row, column = shape[0] // 2, shape[1] // 2

    def brush(number: int) -> None:
        mask = disc((shape[0], shape[1]), row, column)
        server.act("brush", structure=1, axis="axial", index=number, mask=mask, erase=False)

    def click(number: int) -> None:
        server.act("click", structure=1, axis="axial", index=number, positive=[[row, column]], negative=[])

    brush_server_ms, click_server_ms = median_ms(brush), median_ms(click)
    for _ in range(4 * _STROKES):
        server.act("undo")
    speed = depth / server.propagate()
    return [
        ["from the command to its address", f"{server.started_s:.1f} s"],
        ["first picture, the scan's first opening", f"{cold_s:.1f} s"],
        ["first picture, opened again", f"{warm_s:.1f} s"],
        ["brush to mask on the screen", f"{brush_ms:.0f} ms"],
        ["brush to mask, the server alone", f"{brush_server_ms:.0f} ms"],
        ["click to mask on the screen", f"{click_ms:.0f} ms"],
        ["click to mask, the server alone", f"{click_server_ms:.0f} ms"],
        ["propagating 13 structures", f"{speed:.1f} slices/s"],
        ["server's memory, scan open", f"{opened_mb:.0f} MB"],
        ["server's memory after that propagation", f"{server.rss_mb:.0f} MB"],
    ]


def main(
    minutes: Annotated[float, typer.Option(min=0.1, help="Of scripted use.")] = 60,
    slices: Annotated[int, typer.Option(min=60, help="Slices of the scan.")] = 300,
    size: Annotated[int, typer.Option(min=64, help="Rows and columns.")] = 512,
) -> None:
    """Time what a person waits for, then use the server for an hour."""
    small = measure_call(phantom).result
    scan, drawn = scan_and_slices(small, slices, size, halved=False)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_volume(folder / "scan.nii.gz", scan)
        write_volume(folder / "drawn.nii.gz", drawn.with_array(drawn.array, small.labels.names))
        with serve(folder / "scan.nii.gz") as server:
            table = waiting(server, folder / "drawn.nii.gz")
            print(markdown([f"{slices} slices of {size} x {size}", "takes"], table), flush=True)
            rows = memory_rows(server, folder / "ivos-work", minutes)
    print("\n" + markdown(["minute", "turns", "server's memory, MB", "work folder, MB"], rows))


if __name__ == "__main__":
    typer.run(main)
