"""What README.md and docs/ tell people to type: blocks of commands and of Python, and commands within the text."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_FENCE = re.compile(r"^ *```(\w*)")
_INLINE = re.compile(r"(?<!`)`((?:ivos|python -m benchmarks)[^`\n]*(?:\n[^`\n]+)?)`")


@dataclass(frozen=True)
class Block:
    """Lines set as code.

    Attributes:
        line: where it begins in its page, from 1.
        language: as the fence says it; ``"bash"`` for a block that is only indented.
        text: without the indentation.
    """

    line: int
    language: str
    text: str

    def commands(self) -> list[str]:
        """Commands in order, without comments; lines that end in a backslash go on."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [command for command in map(_without_comment, lines) if command]


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, from top to bottom."""
    lines = page.read_text(encoding="utf-8").splitlines()
    return sorted([*_fenced(lines), *_indented(lines)], key=lambda block: block.line)


def commands(page: Path) -> list[str]:
    """What a page's blocks of commands say, in order."""
    return [command for block in blocks(page) if block.language == "bash" for command in block.commands()]


def commands_in_the_text(page: Path) -> list[str]:
    """Commands that are named in sentences and tables."""
    text = "\n".join(_outside_of_fences(page.read_text(encoding="utf-8").splitlines()))
    return [" ".join(found.replace("\\|", "|").split()) for found in _INLINE.findall(text)]


def links(page: Path) -> list[tuple[str, str]]:
    """Text (of a picture: its alternative text) and target of every link and picture."""
    text = "\n".join(_outside_of_fences(page.read_text(encoding="utf-8").splitlines()))
    return re.findall(r"\[([^\]]*)\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "code", text))


def pictures(page: Path) -> list[str]:
    """Alternative texts of a page's pictures."""
    return re.findall(r"!\[([^\]]*)\]\(", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """What a page's headings are linked by."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def _without_comment(line: str) -> str:
    words = shlex.shlex(line, posix=False, punctuation_chars=False)
    words.whitespace_split, words.commenters = True, "#"
    return " ".join(words)


def _fenced(lines: list[str]) -> Iterator[Block]:
    opened: tuple[int, str] | None = None
    for number, line in enumerate(lines):
        fence = _FENCE.match(line)
        if fence and opened is None:
            opened = number, fence[1]
        elif fence and opened is not None:
            inner = "\n".join(lines[opened[0] + 1 : number])
            yield Block(opened[0] + 1, opened[1], inner)
            opened = None


def _indented(lines: list[str]) -> Iterator[Block]:
    for number, line in enumerate(outside := _outside_of_fences(lines)):
        if re.match(r" {4}\S", line) and (number == 0 or not outside[number - 1].strip()):
            block = []
            for further in outside[number:]:
                if not further.startswith("    "):
                    break
                block.append(further[4:])
            yield Block(number + 1, "bash", "\n".join(block))


def _outside_of_fences(lines: list[str]) -> list[str]:
    """All lines, those within fences emptied."""
    inside, kept = False, []
    for line in lines:
        fence = _FENCE.match(line)
        kept.append("" if inside or fence else line)
        inside ^= bool(fence)
    return kept
