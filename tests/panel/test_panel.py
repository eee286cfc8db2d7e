"""The panel's protocol, worked by hand, and its command."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from benchmarks.panel.cohorts import cohorts_of
from benchmarks.panel.propagators import by_engine
from benchmarks.panel.protocol import Counts, Protocol, score_case

import ivos
from ivos.errors import InputError
from ivos.propagation.engines.registry import create_engine
from tests.propagation.scenes import volume_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """One scan with a box that is largest on slice 4 and ends on slice 6, and one that is too small to count."""
    labels = np.zeros((10, 20, 20), np.uint8)
    labels[2:7, 4:10, 4:10] = 1
    labels[4, 4:12, 4:12] = 1
    labels[8, 2:4, 2:4] = 2
    for folder, array in (("images", np.full(labels.shape, 50, np.int16)), ("labels", labels)):
        (tmp_path / folder).mkdir()
        ivos.write(tmp_path / folder / "a.nii.gz", volume_of(array))
    return tmp_path


def test_one_slice_by_hand(cohort: Path) -> None:
    case = cohorts_of([str(cohort)], 1)[0].cases[0]
    _, labels = case.load()
    annotated, full = Protocol().annotations(labels)
    assert full == []
    assert np.flatnonzero(annotated.any(axis=(1, 2))).tolist() == [4]
    scores = score_case(case, Protocol(), by_engine(create_engine("nearest"))).structures
    assert [score.structure for score in scores] == [1]
    true, copied = 4 * 36, 9 * 64  # four other slices of 6 x 6; the 8 x 8 of slice 4 on all nine others
    assert scores[0].counts == Counts(shared=true, false=copied - true, missed=0)
    assert scores[0].beyond == 5 * 64
    assert scores[0].counts.dsc == pytest.approx(2 * true / (true + copied))
    assert scores[0].by_distance[0] == Counts(shared=true, false=6 * 64 - true, missed=0)


def test_every_nth_by_hand(cohort: Path) -> None:
    case = cohorts_of([str(cohort)], 1)[0].cases[0]
    scan, labels = case.load()
    annotated, full = Protocol.parse("every:4").annotations(labels)
    assert full == [2, 6]
    np.testing.assert_array_equal(annotated[full], labels.array[full])
    score = score_case(case, Protocol(4), by_engine(create_engine("nearest"))).structures[0]
    assert score.counts.truth == 36 + 64 + 36  # of slices 3, 4 and 5
    assert len(scan.array) == 10


def test_places_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="images/ and labels/"):
        cohorts_of([str(tmp_path)], 1)
    with pytest.raises(InputError, match="no such file"):
        cohorts_of([f"{tmp_path}/a.nii.gz={tmp_path}/b.nii.gz"], 1)
    with pytest.raises(InputError, match="every:10"):
        Protocol.parse("every")


def test_the_command_prints_tables_and_writes_json(cohort: Path, tmp_path: Path) -> None:
    out = tmp_path / "panel.json"
    command = [sys.executable, "-m", "benchmarks.panel", str(cohort), "--engine", "nearest", "--engine", "shape"]
    command += ["--protocol", "one-slice", "--protocol", "every:4", "--per-structure", "--json", str(out)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert run.stdout.count("| nearest |") == 4
    rows = json.loads(out.read_text())
    assert [(row["protocol"], row["engine"]) for row in rows] == [
        (protocol, engine) for protocol in ("one-slice", "every:4") for engine in ("nearest", "shape")
    ]
    assert rows[0]["cases"][0]["structures"][0]["counts"]["shared"] == 4 * 36
