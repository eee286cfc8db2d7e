"""The keys on a Russian keyboard, and what a person may do while a propagation runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.annotate.e2e.person import Person
from tests.annotate.e2e.strokes import contour

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from ivos.phantom.case import Phantom
    from tests.annotate.e2e.server import Server

pytestmark = pytest.mark.browser

LIVER = 1
_PRESS = """([key, code, held]) => window.dispatchEvent(
  new KeyboardEvent("keydown", {key, code, bubbles: true, cancelable: true, ...held}))"""


def test_keys_of_a_russian_keyboard_and_a_new_name_while_it_propagates(
    server: Server, patient: Phantom, new_tab: Callable[[], Page]
) -> None:
    person = Person(new_tab(), server)

    def press(key: str, code: str, **held: Any) -> None:
        person.page.evaluate(_PRESS, [key, code, held])

    liver = patient.labels.array == LIVER
    here = int(liver.sum(axis=(1, 2)).argmax())
    person.opens()
    person.adds("liver")
    person.goes_to(here)
    press("д", "KeyL")
    expect(person.button("Lasso")).to_have_attribute("aria-pressed", "true")
    person.draws(contour(liver[here]))
    press("з", "KeyP")
    person.reads("Propagating")
    press("\u0417", "KeyP", shiftKey=True)  # its capital
    person.reads("Paused.")
    done = server.scan()["job"]["done"]

    person.button("Edit liver").click()
    person.page.get_by_label("Name", exact=True).fill("Leber")
    person.page.keyboard.press("Enter")
    expect(person.button("Leber")).to_be_visible()
    assert server.scan()["job"] == {**server.scan()["job"], "state": "paused", "done": done}

    person.draws(contour(liver[here]))
    person.reads(f"The propagation has ended after {done} of")
    person.reads(f"Leber was drawn on axial slice {here}.")
    assert server.scan()["job"] is None

    press("я", "KeyZ", ctrlKey=True)
    person.reads("Undone.")
    press("Я", "KeyZ", ctrlKey=True, shiftKey=True)
    person.reads("Done again.")
