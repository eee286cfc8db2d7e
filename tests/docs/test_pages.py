"""README and docs/: commands that there are, Python that is Python, links that lead somewhere, pictures with words."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import ivos
from tests.docs.pages import PAGES, ROOT, anchors, blocks, commands, commands_in_the_text, links, pictures
from tests.docs.parsing import check_named, parse
from tests.docs.tables import NOT_RUN, SERVERS, SHORTER

EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
GENERATED = {"contributing.md", "changelog.md"}  # of the site, from the files beside README.md


@EVERY_PAGE
def test_every_command_is_one(page: Path) -> None:
    for command in commands(page):
        if command.startswith("ivos "):
            parse(command)
    for command in commands_in_the_text(page):
        check_named(command)


@EVERY_PAGE
def test_code_is_in_a_known_language_and_no_command_hides_in_other_text(page: Path) -> None:
    for block in blocks(page):
        assert block.language in ("bash", "python", "text", "yaml", "json", "csv"), f"{page.name}:{block.line}"
        if block.language == "python":
            _check_python(block.text)
        elif block.language != "bash":
            assert not [line for line in block.text.splitlines() if line.startswith(("ivos ", "pip ", "python "))]


def _check_python(text: str) -> None:
    """It is Python, and what it takes of ``ivos`` is there."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ivos":
            assert node.attr in ivos.__all__


def test_what_is_declared_of_commands_is_of_commands_that_are_there() -> None:
    there = [command for page in PAGES for command in commands(page)]
    assert set(NOT_RUN) <= set(there)
    for begin in (*SHORTER, *SERVERS):
        assert any(command.startswith(begin) for command in there), begin


@EVERY_PAGE
def test_links_lead_somewhere(page: Path) -> None:
    for _, target in links(page):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        there = page.parent / path if path else page
        assert there.exists() or path in GENERATED, f"{page.name}: {target}"
        if anchor and page.name == "README.md":  # the site's own check knows the anchors of generated parts too
            assert anchor in anchors(there), f"{page.name}: {target}"


@EVERY_PAGE
def test_pictures_have_words(page: Path) -> None:
    for words in pictures(page):
        assert len(words.split()) >= 3, f"{page.name}: {words!r}"


def test_every_public_name_is_in_the_reference() -> None:
    reference = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    assert [name for name in ivos.__all__ if f"::: ivos.{name}\n" not in reference] == []
