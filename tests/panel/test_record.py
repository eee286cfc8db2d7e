"""A panel that was stopped is resumed; one of other weights is not."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from benchmarks.panel.prompts import PromptCaseScore, PromptScore
from benchmarks.panel.protocol import CaseScore, Counts, StructureScore
from benchmarks.panel.record import Record
from benchmarks.panel.reliability import Reliability

from ivos.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

LABELS, PROMPTS = ("c", "one-slice", "fast"), ("c", "prompts", "network")
COUNTS = Counts(3, 2, 1)
ONE = CaseScore(
    "a", (StructureScore(1, "one", COUNTS, 1, (COUNTS,), 4),), 2.5, Reliability.of(np.array([255]), np.array([True]))
)
CLICKS = PromptCaseScore("a", (PromptScore(1, "one", 4, (0.5, 0.95), 0.7, 0.8, 60.0),))


def test_what_was_scored_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "panel.json"
    record = Record(path)
    for key, score in ((LABELS, ONE), (PROMPTS, CLICKS)):
        record.begin(key, "one")
        record.add(key, score)
    again = Record(path, resume=True)
    for key in (LABELS, PROMPTS):
        again.begin(key, "one")
        assert again.has(key, "a")
        assert not again.has(key, "b")
    assert again.labels([LABELS, PROMPTS]) == {LABELS: [ONE]}
    assert again.prompts([LABELS, PROMPTS]) == {PROMPTS: [CLICKS]}


def test_other_weights_begin_again_and_leave_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "panel.json"
    record = Record(path)
    for key in (LABELS, ("d", "one-slice", "fast")):
        record.begin(key, "one")
        record.add(key, ONE)
    again = Record(path, resume=True)
    again.begin(LABELS, "other")
    assert not again.has(LABELS, "a")
    again.add(LABELS, ONE)
    assert [(row["cohort"], row["version"]) for row in json.loads(path.read_text())] == [("c", "other"), ("d", "one")]


@pytest.mark.parametrize("text", ["", "{}", '[{"cohort": "c"}]', '[{"cohort": 1, "protocol": 2, "cases": 3}]'])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(InputError, match="not the scores of a panel"):
        Record(path, resume=True)
    assert path.read_text() == text


def test_the_command_scores_what_is_missing_alone(tmp_path: Path) -> None:
    out = tmp_path / "panel.json"
    command = [sys.executable, "-m", "benchmarks.panel", "--engine", "nearest", "--json", str(out), "--resume"]
    subprocess.run([*command, "phantoms:1"], check=True, timeout=600, capture_output=True)
    rows = json.loads(out.read_text())
    assert rows[0]["cohort"] == "phantoms:1"
    rows[0]["cases"][0]["seconds"] = 1234.5
    out.write_text(json.dumps(rows))
    run = subprocess.run([*command, "phantoms:1"], check=True, timeout=600, capture_output=True, text=True)
    assert "| 1234.5 |" in run.stdout
