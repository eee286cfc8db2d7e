"""Every command of README.md and docs/ is run, page by page and in order, on the files that the page speaks of."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests.cli.runner import IVOS, ivos
from tests.docs.files import lay_out
from tests.docs.pages import PAGES, blocks
from tests.docs.tables import NOT_RUN, SERVERS, SHORTER
from tests.processes import HANG_S, completed, started

if TYPE_CHECKING:
    from pathlib import Path

    from tests.docs.pages import Block

pytestmark = pytest.mark.docs

TOLD = [page for page in PAGES if any(block.language in ("bash", "python") for block in blocks(page))]
_LONGEST_S = 2 * HANG_S


@pytest.mark.parametrize("page", TOLD, ids=lambda path: path.stem)
def test_what_a_page_says_works(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(page.stem, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{IVOS.parent}{os.pathsep}{os.environ['PATH']}")
    before: list[str] = []
    for block in blocks(page):
        if block.language == "python":
            before.append(block.text)
            _run_python(before, where=f"{page.name}:{block.line}")
        elif block.language == "bash":
            _run_commands(block, where=f"{page.name}:{block.line}")


def _run_commands(block: Block, where: str) -> None:
    for command in block.commands():
        if command in NOT_RUN:
            continue
        shorter = " ".join([command, *_added(command)])
        if command.startswith(SERVERS):
            _serve(shorter, where)
            continue
        alone = command.startswith("ivos ") and not set("|&;<>$*") & set(command)
        done = ivos(*shlex.split(shorter)[1:], timeout_s=_LONGEST_S) if alone else _in_a_shell(shorter)
        assert done.returncode == 0, f"{where}: {shorter}\n{done.stdout}{done.stderr}"


def _added(command: str) -> list[str]:
    fitting = [begin for begin in SHORTER if command.startswith(begin)]
    return [SHORTER[max(fitting, key=len)]] if fitting else []


def _in_a_shell(command: str) -> subprocess.CompletedProcess[str]:
    return completed(["bash", "-c", command], limit_s=_LONGEST_S)


def _serve(command: str, where: str) -> None:
    """Start a server, and end it once it has said where it is."""
    words = [str(IVOS), *shlex.split(command)[1:]]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with started(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment) as process:
        too_long = threading.Timer(_LONGEST_S, process.kill)
        too_long.start()
        assert process.stdout is not None
        said = process.stdout.readline()
        process.terminate()
        rest = process.stdout.read()
        process.wait()
        too_long.cancel()
    assert "http://127.0.0.1:" in said, f"{where}: {command}\n{said}{rest}"
    assert process.returncode in (0, 130), f"{where}: {command}\n{said}{rest}"  # 130: before it served


def _run_python(parts: list[str], where: str) -> None:
    """Run a page's Python up to here: later blocks go on from earlier ones."""
    done = completed([sys.executable, "-c", "\n".join(parts)], limit_s=_LONGEST_S)
    assert done.returncode == 0, f"{where}\n{done.stderr}"
