"""The built site: strict, and of one piece: looking at it asks no other host for anything."""

from __future__ import annotations

import os
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.processes import completed

pytestmark = pytest.mark.docs

_FETCHED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = completed(words, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class _Fetched(HTMLParser):
    """Addresses that a browser fetches by itself when it shows a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value for name, value in attrs if name == _FETCHED.get(tag) and value]


def test_nothing_is_fetched_from_another_host(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        reader = _Fetched()
        reader.feed(page.read_text(encoding="utf-8"))
        assert reader.addresses, page
        assert [a for a in reader.addresses if re.match(r"(https?:)?//", a)] == [], page
    for style in site.rglob("*.css"):
        assert not re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//", style.read_text(encoding="utf-8")), style


def test_references_are_written_from_the_code(site: Path) -> None:
    commands = (site / "commands" / "index.html").read_text(encoding="utf-8")
    settings = (site / "settings" / "index.html").read_text(encoding="utf-8")
    python = (site / "python" / "index.html").read_text(encoding="utf-8")
    assert 'id="ivos-train-reference"' in commands
    assert "--memory-budget" in commands
    assert "optimiser.warm_up" in settings
    assert "network.key_encoder" in settings
    assert 'id="ivos.propagate"' in python
    assert "<!-- " not in re.sub(r"<head>.*?</head>", "", commands + settings, flags=re.DOTALL)
