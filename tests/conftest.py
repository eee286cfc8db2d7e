"""Where the material lies that is not part of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("default", max_examples=150, deadline=None, derandomize=True)
settings.register_profile("fuzz", max_examples=5000, deadline=None)
settings.load_profile("default")  # `make fuzz` takes the other one

ROOT = Path(__file__).parent.parent


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
