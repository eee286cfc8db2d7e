"""What a person does on the page with mouse and keyboard, and sees there."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from playwright.sync_api import expect

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    import numpy.typing as npt
    from playwright.sync_api import Locator, Page

    from tests.annotate.e2e.server import Server
    from tests.annotate.e2e.strokes import Path

PATIENCE_S = 600  # for what hangs; nothing takes that long
_FILLS = 0.96  # how much of the room a slice takes
_PIXELS = """
canvas => {
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let text = "";
  for (let at = 0; at < data.length; at += 32768) text += String.fromCharCode(...data.subarray(at, at + 32768));
  return btoa(text);
}
"""


@dataclass(frozen=True)
class OnScreen:
    """Where an axial slice lies on the screen, in CSS pixels."""

    left: float
    top: float
    per_row: float
    per_column: float

    def at(self, row: float, column: float) -> tuple[float, float]:
        return self.left + column * self.per_column, self.top + row * self.per_row


class Person:
    """Somebody before one tab.

    Args:
        page: the tab.
        server: what it shows the page of.
    """

    def __init__(self, page: Page, server: Server) -> None:
        self.page, self._server = page, server
        self._picture = page.locator("canvas.above")
        self.status = page.locator("footer.status")

    def opens(self) -> None:
        self.page.goto(self._server.address)
        self.reads("is open")
        skip = self.button("Skip")
        if skip.is_visible():
            skip.click()

    def turns_to(self) -> None:
        """Has this tab before the others: a browser draws those behind once a second at most."""
        self.page.bring_to_front()

    def reads(self, text: str | re.Pattern[str]) -> None:
        """Waits until the status line says so."""
        expect(self.status).to_contain_text(text, timeout=PATIENCE_S * 1000)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def adds(self, structure: str) -> None:
        self.page.get_by_label("New structure").fill(structure)
        self.page.keyboard.press("Enter")
        self.reads(f"{structure}: draw it on a slice")

    def presses(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    @property
    def slice(self) -> int:
        """The number of the slice that is shown."""
        return int(self.page.get_by_role("slider", name="Axial slice").get_attribute("aria-valuenow") or "")

    def goes_to(self, index: int) -> None:
        tens, ones = divmod(index, 10)
        self.presses("Home", *["PageUp"] * tens, *["ArrowUp"] * ones)
        expect(self.page.get_by_role("slider", name="Axial slice")).to_have_attribute("aria-valuenow", str(index))

    def _placed(self) -> OnScreen:
        box = self._picture.bounding_box()
        assert box
        scan = self._server.scan()
        (_, rows, columns), (_, row_mm, column_mm) = scan["shape"], scan["spacing_mm"]
        per_mm = _FILLS * min(box["width"] / (columns * column_mm), box["height"] / (rows * row_mm))
        per_row, per_column = per_mm * row_mm, per_mm * column_mm
        left = box["x"] + (box["width"] - columns * per_column) / 2
        top = box["y"] + (box["height"] - rows * per_row) / 2
        return OnScreen(left, top, per_row, per_column)

    def presses_the_mouse_along(self, path: Path) -> None:
        """With the left button down from the first point on, and not let go."""
        placed, mouse = self._placed(), self.page.mouse
        mouse.move(*placed.at(*path[0]))
        mouse.down()
        for point in path[1:]:
            mouse.move(*placed.at(*point))

    def lets_go(self) -> None:
        """Lets the button go and takes the hand away, so that the tool covers nothing."""
        self.page.mouse.up()
        self.page.mouse.move(10, 500)

    def draws(self, *strokes: Path) -> None:
        """Draws with the tool in hand, and waits until all of it is kept."""
        for stroke in strokes:
            self.presses_the_mouse_along(stroke)
            self.lets_go()
        self.saved()

    def saved(self) -> None:
        expect(self.status.locator(".saved")).to_have_text("Saved", timeout=PATIENCE_S * 1000)

    def picture(self) -> npt.NDArray[np.uint8]:
        """What lies on the grey slice: colour and opacity of the middle of each of its pixels, (H, W, 4)."""
        box = self._picture.bounding_box()
        assert box
        pixels = np.frombuffer(base64.b64decode(self._picture.evaluate(_PIXELS)), np.uint8)
        canvas = pixels.reshape(round(box["height"]), round(box["width"]), 4)
        placed = self._placed()
        _, rows, columns = self._server.scan()["shape"]
        x = placed.left - box["x"] + (np.arange(columns) + 0.5) * placed.per_column
        y = placed.top - box["y"] + (np.arange(rows) + 0.5) * placed.per_row
        return np.asarray(canvas[np.ix_(y.astype(int), x.astype(int))])

    def seen(self) -> npt.NDArray[np.uint8]:
        """The labels (H, W) that the colours on the slice stand for."""
        picture = self.picture().astype(int)
        labels = np.zeros(picture.shape[:2], np.uint8)
        for structure in self._server.scan()["structures"]:
            colour = [int(structure["colour"][at : at + 2], 16) for at in (1, 3, 5)]
            there = (np.abs(picture[..., :3] - colour).max(axis=-1) <= 4) & (picture[..., 3] > 50)
            labels[there] = structure["id"]
        return labels

    def sees(self, slices: Sequence[int]) -> None:
        """Goes there, and waits until the page shows the labels that the server has."""
        for index in slices:
            self.goes_to(index)
            self.sees_here(self._server.labels()[index])

    def sees_here(self, labels: npt.NDArray[np.uint8]) -> None:
        until = time.monotonic() + PATIENCE_S
        while not np.array_equal(seen := self.seen(), labels):
            assert time.monotonic() < until, (
                np.unique(seen, return_counts=True),
                np.unique(labels, return_counts=True),
            )
            time.sleep(0.05)
