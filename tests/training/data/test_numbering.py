"""Cohorts whose label files number the same structures differently."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

import ivos as package
from ivos.training.data.prepare import load_manifest, prepare
from ivos.training.data.store import StoredScan
from tests.propagation.scenes import moving_discs

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [{3: "liver", 8: "spleen"}, {1: "spleen", 2: "liver"}, {5: "liver", 3: "spleen"}, {}]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Four cases, each with another numbering; the last one has the first one's, and no names."""
    for number, names in enumerate(NAMES):
        scan, labels = moving_discs(slices=5, size=24, seed=number)
        own = {name: label for label, name in (names or NAMES[0]).items()}
        array = np.select([labels.array == 3, labels.array == 8], [own["liver"], own["spleen"]]).astype(np.uint8)
        package.write(tmp_path / "raw" / "images" / f"c{number}.nii.gz", scan)
        package.write(tmp_path / "raw" / "labels" / f"c{number}.nii.gz", labels.with_array(array, names))
    return tmp_path / "raw"


def stored(out: Path) -> list[tuple[str, np.ndarray]]:
    return [(case.info.case, StoredScan(out / case.file).labels().array) for case in load_manifest(out).cases]


def test_the_numbering_of_the_first_case_is_that_of_all(
    raw: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manifest = prepare(raw, tmp_path / "out")
    assert (manifest.names, manifest.refused) == ({3: "liver", 8: "spleen"}, ())
    assert "labels matched by name with the cases before: 1 (spleen) is 8, 2 (liver) is 3 there" in caplog.text
    assert "(and 1 more files)" in caplog.text
    for number, (_, array) in enumerate(stored(tmp_path / "out")):
        np.testing.assert_array_equal(array, moving_discs(slices=5, size=24, seed=number)[1].array)


def test_a_data_set_says_the_numbering(raw: Path, tmp_path: Path) -> None:
    for kind in ("images", "labels"):
        (raw / kind / "c3.nii.gz").unlink()
    (raw / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "liver": 1, "spleen": 2}}))
    assert prepare(raw, tmp_path / "out").names == {1: "liver", 2: "spleen"}
    for number, (_, array) in enumerate(stored(tmp_path / "out")):
        expected = moving_discs(slices=5, size=24, seed=number)[1].array
        np.testing.assert_array_equal(array, np.select([expected == 3, expected == 8], [1, 2]))


def test_a_case_whose_names_contradict_is_left_out_with_the_reason(raw: Path, tmp_path: Path) -> None:
    labels = package.read_labels(raw / "labels" / "c2.nii.gz")
    package.write(raw / "labels" / "c2.nii.gz", labels.with_array(labels.array, {5: "liver", 3: "kidney"}))
    (refusal,) = prepare(raw, tmp_path / "out").refused
    assert refusal.case == "c2"
    assert "label 3 is 'kidney' in" in refusal.reason
    assert "dataset.json" in refusal.reason
