"""Folders of scans and labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ivos
from ivos.errors import InputError
from ivos.volume.cases import labelled_cases
from tests.propagation.scenes import moving_discs


def _written(folder: Path, *names: str) -> Path:
    scan, _ = moving_discs(slices=3, size=16)
    for name in names:
        ivos.write(folder / name, scan.with_array(np.ones(scan.array.shape, np.uint8)))
    return folder


def test_scans_are_found_with_and_without_a_channel_behind_their_name(tmp_path: Path) -> None:
    scans = _written(tmp_path / "scans", "a_0000.nii.gz", "b.nrrd", "unlabelled.nii.gz")
    labels = _written(tmp_path / "labels", "b.nii.gz", "a.mha")
    cases = labelled_cases(scans, labels)
    assert [(case.name, case.scan.name, case.labels.name) for case in cases] == [
        ("a", "a_0000.nii.gz", "a.mha"),
        ("b", "b.nrrd", "b.nii.gz"),
    ]
    scan, drawn = cases[0].read()
    assert scan.array.shape == drawn.array.shape


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    scans, labels = _written(tmp_path / "scans", "a.nii.gz"), _written(tmp_path / "labels", "a.nii.gz", "b.nii.gz")
    with pytest.raises(InputError, match="no scan for 1 of 2 label files: b"):
        labelled_cases(scans, labels)
    with pytest.raises(InputError, match="there twice"):
        labelled_cases(_written(scans, "a.nrrd"), labels)
    with pytest.raises(InputError, match="no such folder"):
        labelled_cases(tmp_path / "nowhere", labels)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no label files"):
        labelled_cases(labels, tmp_path / "empty")
