"""What trainings in tests share: few and small examples, and commands whose imports are there already."""

from __future__ import annotations

import pytest

from tests.cli.runner import preload


@pytest.fixture(scope="package", autouse=True)
def _imported() -> None:
    """Commands are forked from a process that has imported what trainings need."""
    preload("tests.training.preloaded")


@pytest.fixture
def few_walks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings of the fast network walk over a few examples: to make them takes most of the time."""
    monkeypatch.setattr("ivos.training.fast.examples._WAITING", 4)
    monkeypatch.setattr("ivos.training.fast.train._ROLLOUTS", 4)
    monkeypatch.setattr("ivos.training.fast.train._HELD_OUT", 4)
