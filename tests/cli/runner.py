"""The command, run as a user runs it: in a process of its own.

Processes are forked from one that has imported what takes seconds to import; a handful of tests begin with the
installed script instead, which is :data:`IVOS`.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from typer.testing import CliRunner

from ivos.cli.main import app
from tests.processes import HANG_S, end_session

IVOS = Path(sys.executable).parent / "ivos"

_FORKS = multiprocessing.get_context("forkserver")
_PRELOADED = ["tests.cli.preloaded"]
_FORKS.set_forkserver_preload(_PRELOADED)


def preload(module: str) -> None:
    """Import a module in the process that commands are forked from, if that has not been started yet."""
    if module not in _PRELOADED:
        _PRELOADED.append(module)
        _FORKS.set_forkserver_preload(_PRELOADED)


def ivos_here(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command in this process, where a test may have made what it uses smaller; errors come through."""
    done = CliRunner().invoke(app, [str(word) for word in arguments], catch_exceptions=False)
    return subprocess.CompletedProcess(list(map(str, arguments)), done.exit_code, done.stdout, done.stderr)


def ivos(*arguments: object, timeout_s: float = HANG_S) -> subprocess.CompletedProcess[str]:
    words = [str(IVOS), *map(str, arguments)]  # the first: training starts further processes by it
    with tempfile.TemporaryDirectory() as folder:
        process = _FORKS.Process(target=_run, args=(words, dict(os.environ), str(Path.cwd()), folder))
        process.start()
        try:
            process.join(timeout_s)
            if process.exitcode is None:
                raise subprocess.TimeoutExpired(words, timeout_s)
        finally:
            if process.exitcode is None and process.pid is not None:
                end_session(process.pid)
                process.join()
        out, err = (Path(folder, name).read_text() for name in ("out", "err"))
    return subprocess.CompletedProcess(words, process.exitcode, out, err)


def _run(words: list[str], environment: dict[str, str], working: str, folder: str) -> None:
    for name, descriptor in (("out", 1), ("err", 2)):
        file = os.open(Path(folder, name), os.O_WRONLY | os.O_CREAT)
        os.dup2(file, descriptor)
    os.setsid()  # what it starts is ended with it
    os.chdir(working)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = words
    from ivos.cli.main import main

    main()


def refused(*arguments: object) -> str:
    """The one line on stderr with which the command refuses; nothing on stdout."""
    done = ivos(*arguments)
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]
