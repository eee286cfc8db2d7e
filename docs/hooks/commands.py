"""The page of all commands, written from the command line itself, so that it is never out of date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from ivos.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.structure.pages import Page

_PLACE = "<!-- commands -->"


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Put the commands where the page says so."""
    if page.file.src_uri != "commands.md":
        return markdown
    before, after = markdown.split(_PLACE)
    root = typer.main.get_command(app)
    context = root.make_context("ivos", [], resilient_parsing=True)
    return before + "\n\n".join(_described(root, context)) + after


def _described(group: Any, context: Any) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inner = type(context)(command, info_name=name, parent=context)
        if hasattr(command, "list_commands"):
            yield from _described(command, inner)
        else:
            yield _section(command, inner)


def _section(command: Any, context: Any) -> str:
    """One command, by what every version of Typer tells of it: its usage, and a line for each argument and option."""
    usage = " ".join(command.get_usage(context).removeprefix("Usage: ").split())
    parts = [f"## {context.command_path}", _paragraphs(command.help), f"```text\n{usage}\n```"]
    records = [p.get_help_record(context) for p in command.get_params(context)]
    rows = [f"| `{name}` | {_cell(text)} |" for name, text in filter(None, records)]  # in code a bar needs no escape
    return "\n\n".join([*parts, "\n".join(["| argument or option | |", "|---|---|", *rows])])


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _cell(text: str) -> str:
    """Text for a cell of a table; what Rich would take for markup is escaped in it already."""
    return " ".join(text.replace("\\[", "[").split()).replace("|", "\\|")
