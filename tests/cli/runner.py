"""The installed command, run as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

IVOS = Path(sys.executable).parent / "ivos"


def ivos(*arguments: object, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    words = [str(IVOS), *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=timeout_s, check=False)


def refused(*arguments: object) -> str:
    """The one line on stderr with which the command refuses; nothing on stdout."""
    done = ivos(*arguments)
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]
