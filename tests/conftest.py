"""Where the material lies that is not part of the project, and what is said of tests that were not run."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from tests.memory import give_back
from tests.processes import hear_interrupts

if TYPE_CHECKING:
    from collections.abc import Generator

settings.register_profile("default", max_examples=150, deadline=None, derandomize=True)
settings.register_profile("fuzz", max_examples=5000, deadline=None)
settings.load_profile("default")  # `make fuzz` takes the other one

hear_interrupts()

ROOT = Path(__file__).parent.parent
RESIDENT = pytest.StashKey[int]()
MATERIAL = ("browser", "realdata", "parity")  # markers of tests that need what may not be there
SLOW = (  # folders and files of tests/ that `make check` leaves out, beside single tests with the marker
    "annotate/e2e",
    "cohort/test_ray.py",
    "propagation/engines/test_stcn_engine.py",
    "propagation/test_bundled_weights.py",
    "training/fast",
    "training/fusion",
    "training/reference/test_train.py",
    "training/refine",
    "training/stcn",
    "training/strokes",
    "training/test_changed_data.py",
    "training/test_finite.py",
    "training/test_run.py",
    "training/test_train_command.py",
)


def folder(variable: str, fallback: str, what: str) -> Path:
    path = Path(os.environ.get(variable, ROOT.parent / "shared" / fallback))
    if not path.is_dir():
        pytest.skip(f"{what} are not here: set {variable} to their folder")
    return path


@pytest.fixture(scope="session")
def parity_folder() -> Path:
    return folder("IVOS_PARITY", "parity", "the parity fixtures")


@pytest.fixture(scope="session")
def real_data() -> Path:
    return folder("IVOS_REAL_DATA", "data/totalsegmentator_examples", "the real scans")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow by its place."""
    if gone := [slow for slow in SLOW if not (ROOT / "tests" / slow).exists()]:
        raise pytest.UsageError(f"SLOW in tests/conftest.py names what is not there: {', '.join(gone)}")
    for item in items:
        if not item.path.is_relative_to(ROOT / "tests"):
            continue  # a session within a test
        place = item.path.relative_to(ROOT / "tests").as_posix()
        if any(place == slow or place.startswith(f"{slow}/") for slow in SLOW):
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """No worker keeps the memory of the tests that it has run."""
    result = yield
    item.config.stash[RESIDENT] = give_back(item.config.stash.get(RESIDENT, 0))
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a browser test that is skipped has failed: nobody would see that it never ran."""
    report = yield
    if (
        report.skipped
        and not hasattr(report, "wasxfail")
        and os.environ.get("CI")
        and item.get_closest_marker("browser")
    ):
        report.outcome = "failed"
        report.longrepr = f"{_reason(report)}; where CI is set, every browser test has to run"
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: Any) -> Generator[None]:
    """After all else that is printed: how many tests of which kind were skipped, and why."""
    yield
    skipped = Counter((_kind(report), _reason(report)) for report in terminalreporter.stats.get("skipped", ()))
    for (kind, reason), number in sorted(skipped.items()):
        terminalreporter.write_line(f"not run: {number} {kind}test{'s' * (number != 1)}: {reason}", yellow=True)


def _kind(report: pytest.TestReport) -> str:
    return next((f"{marker} " for marker in MATERIAL if marker in report.keywords), "")


def _reason(report: pytest.TestReport) -> str:
    where = report.longrepr
    return str(where[2] if isinstance(where, tuple) else where).removeprefix("Skipped: ")
