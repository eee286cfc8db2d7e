"""The container files hold together: what they copy is there, what they install and run exists. None is built here."""

from __future__ import annotations

import inspect
import os
import re
import shlex
from fnmatch import fnmatch
from pathlib import Path

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from ivos.cli.commands.annotate import annotate
from ivos.cli.main import app
from tests.processes import completed

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "containers").glob("Containerfile.*[!e]"))
OURS = [path for path in FILES if not path.name.endswith("flare22")]  # the challenge has its own rules
of_each = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
of_ours = pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)


def instructions(path: Path) -> list[tuple[str, str]]:
    """Words and what follows them, without comments, continued lines joined."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined if line.strip())]


def of(path: Path, word: str) -> list[str]:
    return [rest for found, rest in instructions(path) if found == word]


def stages(path: Path) -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for word, rest in instructions(path):
        if word == "FROM":
            found.append([])
        if found:
            found[-1].append((word, rest))
    return found


def test_all_are_there() -> None:
    assert [path.name for path in FILES] == ["Containerfile.cpu", "Containerfile.cuda", "Containerfile.flare22"]


def test_the_challenge_script_runs_every_network_in_weights(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    for name in ("a", "b"):
        (tmp_path / "weights" / f"{name}.safetensors").touch()
    script = tmp_path / "predict.sh"
    script.write_bytes((ROOT / "containers" / "predict.sh").read_bytes())
    program = tmp_path / "ivos"
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    done = completed(["sh", str(script)], env=os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"})
    assert done.stdout.split() == [
        *("segment", "inputs", "-o", "outputs"),
        *("--reference", "weights/a.safetensors", "--reference", "weights/b.safetensors"),
    ]


@of_each
def test_what_is_copied_is_there_and_is_let_through(path: Path) -> None:
    ignored = path.with_name(f"{path.name}.dockerignore").read_text(encoding="utf-8").split()
    assert ignored[0] == "*"
    for rest in of(path, "COPY"):
        words = rest.split()
        if words[0].startswith("--from="):
            assert words[0] in {f"--from={first.partition(' AS ')[2]}" for first in of(path, "FROM")}
            continue
        for source in words[:-1]:
            assert any(fnmatch(source, pattern[1:]) for pattern in ignored if pattern.startswith("!")), source
            assert (ROOT / source).exists() or source == "weights", source  # those the user puts there


@of_each
def test_no_host_is_named_and_base_images_are_plain(path: Path) -> None:
    assert re.fullmatch(r"[a-z]+:[\w.-]+", dict(line.split("=", 1) for line in of(path, "ARG") if "=" in line)["BASE"])
    code = "\n".join(" ".join(instruction) for instruction in instructions(path))
    assert not re.search(r"https?://|\w\.(io|org|com|dev)\b", code)


@of_ours
def test_it_runs_ivos_as_a_user_and_shows_the_port(path: Path) -> None:
    last = dict(stages(path)[-1])
    assert last["ENTRYPOINT"] == '["ivos"]'
    assert last["USER"] == "1000"
    assert "useradd --uid 1000" in last["RUN"]
    assert int(last["EXPOSE"]) == inspect.signature(annotate).parameters["port"].default
    words = [word for word, _ in stages(path)[-1]]
    assert words.index("RUN") < words.index("USER") < words.index("ENTRYPOINT")
    assert "pip" not in " ".join(rest for word, rest in stages(path)[-1] if word == "RUN")


@of_ours
def test_nothing_is_cached_and_the_extras_exist(path: Path) -> None:
    for command in of(path, "RUN"):
        assert "pip install" not in command or "--no-cache-dir" in command
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (extras,) = (line.removeprefix("EXTRAS=") for line in of(path, "ARG") if line.startswith("EXTRAS="))
    for extra in extras.split(","):
        assert re.search(rf"^{extra} = \[", project, re.MULTILINE), extra


@of_ours
def test_the_commands_in_its_comments_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = re.findall(r"^#.* run .* (?:ivos|ivos:cuda) (\w+) (.*)$", text, re.MULTILINE)
    assert found
    for name, rest in found:
        options = {o for parameter in _command(name).params for o in (*parameter.opts, *parameter.secondary_opts)}
        for word in shlex.split(rest):
            assert not word.startswith("-") or word in options, word
    assert all(built in text for built in (f"-f containers/{path.name}", "-t ivos"))


def _command(name: str) -> TyperCommand:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    command = group.commands[name]
    assert isinstance(command, TyperCommand)
    return command
