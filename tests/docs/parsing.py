"""Whether a command of the documentation is one: known to the command line, with options that it has."""

from __future__ import annotations

import ast
import re
import shlex
from functools import cache
from typing import Any

import typer

from ivos.cli.main import app
from tests.docs.pages import ROOT


def parse(command: str) -> None:
    """Parse an ``ivos`` command as the command line does, without running it; raises what that raises."""
    name, *words = shlex.split(command)
    assert name == "ivos", command
    if words[0].startswith("--"):
        assert words[0] in ("--help", "--install-completion", "--version"), command
        return
    found, rest = _found(words)
    found.make_context(" ".join(words), rest)


def check_named(command: str) -> None:
    """Check a command within a sentence, where values may be left out: it and its options must be known."""
    words = command.split()
    if words[0] == "python":
        known = {"-m"} | _options_of_benchmark(words[2].removeprefix("benchmarks."), set())
    else:
        known = _options_named(words[1:])
    if words[1:2] == ["profile"]:
        return  # what follows is another command's
    said = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    assert said <= known, f"{command}: no option {', '.join(sorted(said - known))}"


def _options_named(words: list[str]) -> set[str]:
    """Options of the command that words begin with; of ``list|download`` those of both."""
    if not words or words[0] in ("COMMAND", "--install-completion"):
        return {"--help", "--install-completion"}
    *groups, last = words[: 2 if words[0] in ("train", "weights") else 1]
    found = [_found([*groups, name], whole=False)[0] for name in last.split("|")]
    return {option for command in found for option in _options(command)}


@cache
def _root() -> Any:
    return typer.main.get_command(app)


def _found(words: list[str], *, whole: bool = True) -> tuple[Any, list[str]]:
    """The command that words begin with, and the words after its name; a group of commands alone unless it is whole."""
    group, rest = _root(), list(words)
    while hasattr(group, "commands") and (rest or whole):
        assert rest, f"no command in: {' '.join(words)}"
        name = rest.pop(0)
        assert name in group.commands, f"no command {name}"
        group = group.commands[name]
    return group, rest


def _options(command: Any) -> set[str]:
    return {option for p in command.params for option in (*p.opts, *p.secondary_opts)} | {"--help", "-h"}


def _options_of_benchmark(name: str, read: set[str]) -> set[str]:
    """Options of a benchmark, from its source and what that imports: importing them all would take a minute."""
    if name in read:
        return set()
    read.add(name)
    place = ROOT / "benchmarks" / name.replace(".", "/")
    path = place / "__main__.py" if place.is_dir() else place.with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    options = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("--"):
            options.add(node.value)
        if isinstance(node, ast.FunctionDef) and "Annotated" in ast.dump(node.args):
            options |= {f"--{a.arg.replace('_', '-')}" for a in (*node.args.args, *node.args.kwonlyargs)}
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("benchmarks."):
            options |= _options_of_benchmark(str(node.module).removeprefix("benchmarks."), read)
    return options
