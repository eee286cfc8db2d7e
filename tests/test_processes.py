"""What tests start can be interrupted wherever they run, and nothing of it outlives them; what is skipped is said."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.processes import completed, started, waited

ROOT = Path(__file__).parent.parent
CHILD = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
SUITE = """
import pytest

@pytest.fixture
def browser():
    pytest.skip("Chromium is not here")

@pytest.mark.browser
def test_page(browser): pass

@pytest.mark.browser
def test_another_page(browser): pass

@pytest.mark.realdata
def test_scan(): pytest.skip("no scans")

def test_plain(): pass
"""


def test_what_is_started_hears_interrupts_where_tests_run_in_the_background() -> None:
    program = f"import tests.conftest, subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"
    for folder, heard in ((ROOT, "True"), (ROOT / "tests", "False")):  # the second does without our conftest
        shown = program if folder == ROOT else program.replace("import tests.conftest, ", "import ")
        done = completed(["sh", "-c", 'trap "" INT; exec "$0" -c "$1"', sys.executable, shown], cwd=folder)
        assert done.stdout.strip() == heard, done.stderr


def test_what_a_program_has_started_ends_with_it() -> None:
    with started(["sh", "-c", "sleep 1000 & sleep 1000"], stdout=subprocess.DEVNULL) as process:
        family = psutil.Process(process.pid)
        children = waited(lambda: len(family.children()) == 2 and family.children(), process)
    assert children
    _, alive = psutil.wait_procs([family, *children], timeout=60)
    assert alive == []


def test_what_hangs_is_ended_and_said() -> None:
    begun = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        completed(["sh", "-c", "trap '' INT TERM; while :; do sleep 0.1; done"], limit_s=0.3)
    assert time.monotonic() - begun < 60


def test_what_has_ended_is_not_waited_for() -> None:
    with started([sys.executable, "-S", "-c", ""]) as process, pytest.raises(AssertionError, match="has ended"):
        waited(lambda: False, process)


@pytest.mark.parametrize("ci", [None, "1"])
def test_what_was_not_run_is_said_at_the_end_and_fails_in_ci(tmp_path: Path, ci: str | None) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | {"PYTHONPATH": str(ROOT)}
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | ({} if ci is None else {"CI": ci})  # others take seconds
    plugins = [word for name in ("xdist", "pytest_timeout", "tests.conftest") for word in ("-p", name)]
    words = ["-c", ROOT / "pyproject.toml", *plugins, "-p", "no:cacheprovider", "-n", "1", tmp_path]
    done = completed([sys.executable, "-m", "pytest", *words], env=environment, cwd=tmp_path)
    last = "\n".join(done.stdout.splitlines()[-4:])
    assert "not run: 1 realdata test: no scans" in last, done.stdout + done.stderr
    if ci is None:
        assert done.returncode == 0
        assert "not run: 2 browser tests: Chromium is not here" in last
    else:
        assert done.returncode == 1
        assert "2 errors" in last
        assert "Chromium is not here; where CI is set, every browser test has to run" in done.stdout
