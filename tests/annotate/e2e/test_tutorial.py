"""The tutorial's steps (docs/annotate.md), and its pictures: IVOS_SCREENSHOTS says in which folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import ivos
from ivos.phantom import abdomen
from tests.annotate.e2e.person import Person
from tests.annotate.e2e.server import Server
from tests.annotate.e2e.strokes import brush_strokes, contour

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

LIVER, SPLEEN, AORTA = 1, 3, 5


def test_the_tutorial(new_tab: Callable[[], Page], tmp_path: Path) -> None:
    folder = Path(os.environ.get("IVOS_SCREENSHOTS", tmp_path / "pictures"))
    phantom = abdomen(3, shape=(60, 224, 224), spacing_mm=(4, 1.6, 1.6))
    liver, spleen, aorta = (phantom.labels.array == organ for organ in (LIVER, SPLEEN, AORTA))
    ivos.write(tmp_path / "abdomen.nii.gz", phantom.scan)
    with Server(tmp_path / "abdomen.nii.gz", tmp_path) as server:
        page = new_tab()
        person = Person(page, server)

        def photograph(name: str) -> None:
            page.screenshot(path=folder / f"{name}.jpg", type="jpeg", quality=80)

        page.goto(server.address)
        person.reads("is open")
        page.wait_for_timeout(1000)  # the timeline comes after the slice
        photograph("1-open")
        person.button("Skip").click()

        middle = int((liver & spleen.any(axis=(1, 2), keepdims=True)).sum(axis=(1, 2)).argmax())
        person.adds("liver")
        person.goes_to(middle)
        person.button("Lasso").click()
        person.draws(contour(liver[middle]))
        person.adds("spleen")
        person.presses("b")
        page.get_by_label("Brush size").fill("4")
        first, *others = brush_strokes(spleen[middle], 4)
        person.presses_the_mouse_along(first[: len(first) * 2 // 3])
        photograph("2-draw")
        person.presses_the_mouse_along(first[len(first) * 2 // 3 :])
        person.lets_go()
        person.draws(*others)

        person.adds("aorta")
        person.button("Box").click()
        rows, columns = np.nonzero(aorta[middle])
        person.draws([(rows.min() - 1, columns.min() - 1), (rows.max() + 2, columns.max() + 2)])
        person.reads("follows your box")
        person.presses("p", *["ArrowDown"] * 4)
        while not server.labels()[person.slice].any():
            assert server.scan()["job"]
        page.wait_for_timeout(800)  # they come to the page every half a second
        photograph("3-propagate")
        person.reads("Finished.")

        person.button("Next suggested slice").click()
        person.presses("u", "b")
        page.wait_for_timeout(1500)  # the doubt comes after the labels
        photograph("4-suggested")
        person.presses("u")
        person.button("Four view").click()
        page.wait_for_timeout(5000)  # the view in space is made when it is first looked at
        photograph("5-four")
        person.button("Axial view").click()
        person.button("Export").click()
        page.get_by_role("link", name="Export as NIfTI").wait_for()
        photograph("6-export")
