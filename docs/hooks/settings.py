"""The page of all settings, written from the classes that check them.

``<!-- settings MODULE:CLASS -->`` stands for the table of a class; ``without NAME`` leaves out what has its own table.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from griffe import Docstring, DocstringSectionKind, Parser
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.structure.pages import Page

_PLACE = re.compile(r"<!-- settings ([\w.]+):(\w+)(?: without (\w+))? -->")
_HEAD = "| setting | by default | |\n|---|---|---|\n"


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Put tables of settings where the page says so."""
    if page.file.src_uri != "settings.md":
        return markdown
    return _PLACE.sub(lambda found: _HEAD + "\n".join(_table(*found.groups())), markdown)


def _table(module: str, name: str, without: str | None) -> list[str]:
    rows: dict[str, tuple[str, str, str]] = {}
    for setting, takes, default, said in _rows(getattr(import_module(module), name), without):
        one = rows.get(setting)  # there already where alternatives are told apart by it: network.name
        rows[setting] = (f"{one[0]} or {takes}", one[1], one[2]) if one else (takes, default, said)
    return [f"| `{name}` | {default} | {said} *{takes}* |" for name, (takes, default, said) in rows.items()]


def _rows(kind: type[BaseModel], without: str | None = None, before: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Name, kind, default and meaning of each setting; those of settings within it follow, with dots."""
    said = _said(kind)
    for name, field in kind.model_fields.items():
        inner = _inner(field.annotation)
        if name != without and not inner:
            yield before + name, _takes(field.annotation), _default(field), said.get(name, "")
        for one in inner if name != without else []:
            yield from _rows(one, None, f"{before}{name}.")


def _inner(annotation: Any) -> list[type[BaseModel]]:
    kinds = [k for k in (annotation, *get_args(annotation)) if isinstance(k, type)]
    return [k for k in kinds if issubclass(k, BaseModel)]


def _said(kind: type[BaseModel]) -> dict[str, str]:
    """What docstrings say of each setting, those of the classes above included."""
    said: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        if one is not BaseModel and issubclass(one, BaseModel):
            for section in Docstring(one.__doc__ or "").parse(Parser.google, warnings=False):
                if section.kind is DocstringSectionKind.attributes:
                    said |= {attribute.name: _cell(attribute.description) for attribute in section.value}
    return said


def _takes(annotation: Any) -> str:
    """What a setting may be, in words."""
    kind, inner = get_origin(annotation), get_args(annotation)
    if kind is Annotated:
        return _takes(inner[0])
    if kind is Literal:
        return ", ".join(str(value) for value in inner)
    if kind in (Union, UnionType):
        return " or ".join(_takes(one) for one in inner if one is not NoneType)
    if kind is tuple:
        return f"list: {_takes(inner[0])}"
    return {int: "whole number", float: "number", bool: "true, false", Path: "path"}.get(annotation, str(annotation))


def _default(field: Any) -> str:
    if field.default is PydanticUndefined:
        return "required"
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return "" if value is None else f"`{_cell(str(value))}`"


def _cell(text: str) -> str:
    """Text for a cell of a table; roles and double backticks of docstrings are code."""
    text = re.sub(r":\w+:`[~.]?([^`]*)`", r"`\1`", " ".join(text.split())).replace("``", "`")
    return text.replace("|", "\\|")
