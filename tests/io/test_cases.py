"""Folders with a file for each case."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ivos
from ivos.errors import InputError
from ivos.io.cases import labels_by_case, scans_by_case
from tests.propagation.scenes import moving_discs


def _written(folder: Path, *names: str) -> Path:
    scan, _ = moving_discs(slices=3, size=16)
    for name in names:
        ivos.write(folder / name, scan.with_array(np.ones(scan.array.shape, np.uint8)))
    return folder


def test_cases_go_by_the_name_without_suffix(tmp_path: Path) -> None:
    found = scans_by_case(_written(tmp_path, "b.nrrd", "a.nii.gz", "c.mha"))
    assert {name: path.name for name, path in found.items()} == {"a": "a.nii.gz", "b": "b.nrrd", "c": "c.mha"}


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there twice"):
        scans_by_case(_written(tmp_path / "scans", "a.nii.gz", "a.nrrd"))
    with pytest.raises(InputError, match="no such folder"):
        scans_by_case(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no label files"):
        labels_by_case(tmp_path / "empty")
