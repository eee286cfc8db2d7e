"""A browser for the tests of the page, and scans to open in it."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect, sync_playwright

import ivos
from ivos.phantom import abdomen
from tests.annotate.e2e.person import PATIENCE_S
from tests.annotate.e2e.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page, ViewportSize

    from ivos.phantom.case import Phantom

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
VIEWPORT: ViewportSize = {"width": 1280, "height": 800}
PATIENCE_MS = 1000 * PATIENCE_S
EXPECTED = re.compile(r"Failed to load resource: .*(net::|status of 400)")  # a server that is gone, or that refuses


# Playwright keeps an event loop in this thread, which other tests must not meet: it ends with this folder's tests.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    chromium = os.environ.get("IVOS_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if chromium is None:
        pytest.skip("Chromium is not here: install it, or set IVOS_CHROMIUM to it")
    with sync_playwright() as running:
        expect.set_options(timeout=PATIENCE_MS)
        started = running.chromium.launch(executable_path=chromium)
        yield started
        started.close()


@pytest.fixture
def new_tab(browser: Browser) -> Iterator[Callable[[], Page]]:
    """Opens tabs of one browser window. A page must neither fail nor break its content security policy."""
    window = browser.new_context(viewport=VIEWPORT, accept_downloads=True)
    window.set_default_timeout(PATIENCE_MS)
    faults: list[str] = []

    def opened() -> Page:
        page = window.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        return page

    yield opened
    window.close()
    assert [fault for fault in faults if not EXPECTED.match(fault)] == []


@pytest.fixture(scope="package")
def patient() -> Phantom:
    """A phantom that propagates in a second or two."""
    return abdomen(3, shape=(36, 112, 112), spacing_mm=(6, 3.2, 3.2))


@pytest.fixture
def server(patient: Phantom, tmp_path: Path) -> Iterator[Server]:
    """`ivos annotate` on the phantom."""
    ivos.write(tmp_path / "abdomen.nii.gz", patient.scan)
    with Server(tmp_path / "abdomen.nii.gz", tmp_path) as running:
        yield running
