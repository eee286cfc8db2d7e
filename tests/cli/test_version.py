"""`ivos --version`: one number, kept in pyproject.toml, in a line that a bug report can have as it is."""

from __future__ import annotations

import platform
import re
import sys
from importlib.metadata import version
from pathlib import Path

import ivos as package
from tests.cli.runner import ivos
from tests.processes import completed

ROOT = Path(__file__).parents[2]


def test_the_line_names_what_a_bug_report_needs() -> None:
    done = ivos("--version")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        f"ivos {version('ivos')} (Python {platform.python_version()}, torch {version('torch')}, "
        f"openvino {version('openvino')}, {platform.system()} {platform.machine()})\n"
    )


def test_the_version_is_written_in_one_place() -> None:
    assert package.__version__ == version("ivos")
    (written,) = re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    heads = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert heads[0] == written.partition(".dev")[0]
    assert [path for path in (ROOT / "src").rglob("*.py") if written in path.read_text(encoding="utf-8")] == []


def test_neither_help_nor_version_imports_a_library_that_takes_seconds() -> None:
    for option in ("--help", "--version"):
        code = (
            "import sys\nfrom ivos.cli.main import main\n"
            f"sys.argv = ['ivos', '{option}']\n"
            "try:\n    main()\nfinally:\n"
            "    print([m for m in ('torch', 'scipy', 'SimpleITK') if m in sys.modules], file=sys.stderr)"
        )
        done = completed([sys.executable, "-c", code])
        assert done.returncode == 0, done.stderr
        assert done.stderr.strip() == "[]"
