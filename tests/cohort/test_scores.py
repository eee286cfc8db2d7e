"""Scores that have been through a manifest, and folders of other jobs."""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ivos as package
from ivos.cli.execution import Execution, run_or_rebuild
from ivos.cohort.backends.serial import SerialBackend
from ivos.cohort.run import run_cohort
from ivos.errors import InputError
from ivos.metrics.evaluation import Score, evaluate_folders
from ivos.pipelines.evaluate import EvaluateJob, scores_in
from ivos.pipelines.protocol import Case
from tests.cohort.jobs import CountingJob
from tests.propagation.scenes import volume_of

if TYPE_CHECKING:
    from pathlib import Path

FIGURE = st.floats()


def pair(folder: Path) -> Case:
    """A case in which structure 1 is found in part, 2 not at all, and 3 is in neither."""
    truth = np.zeros((4, 12, 12), np.uint8)
    truth[1:3, 2:7, 2:7], truth[1:3, 9:11, 9:11] = 1, 2
    found = np.where(truth == 2, 0, truth)
    found[1, 2] = 0
    paths = {}
    for role, array in {"prediction": found, "truth": truth}.items():
        paths[role] = str(folder / role / "case.nii.gz")
        package.write(paths[role], volume_of(array))
    return Case("case", paths)


def test_scores_come_back_from_a_manifest_as_they_were(tmp_path: Path) -> None:
    case, job = pair(tmp_path), EvaluateJob(structures=(1, 2, 3), names={1: "ball"})
    assert pickle.loads(pickle.dumps(job)) == job  # noqa: S301 - as it goes to other processes
    run_cohort(job, [case], tmp_path / "out", SerialBackend()).close()
    with run_cohort(job, [case], tmp_path / "out", SerialBackend()) as manifest:
        scores = scores_in(manifest.ours()[0].figures)
    expected = evaluate_folders(tmp_path / "prediction", tmp_path / "truth", structures=(1, 2, 3), names={1: "ball"})
    assert repr(scores) == repr(expected)
    assert [math.isinf(score.hd95_mm) for score in scores] == [False, True, False]
    assert math.isnan(scores[2].dsc)


@given(FIGURE, FIGURE, FIGURE)
def test_every_figure_stays_what_it_is(dsc: float, hd95_mm: float, volume_ml: float) -> None:
    score = Score("case", 1, "Leber", dsc, dsc, hd95_mm, volume_ml, volume_ml)
    assert repr(scores_in(json.loads(json.dumps({"scores": [asdict(score)]})))) == repr([score])


def test_a_run_goes_on_and_other_settings_are_done_anew_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, out = pair(tmp_path), tmp_path / "out"
    (tmp_path / "bad.nii.gz").write_bytes(b"broken")
    bad = Case("bad", {**good.inputs, "prediction": str(tmp_path / "bad.nii.gz")})
    first, second = (run_or_rebuild(EvaluateJob(), [good, bad], out, Execution()) for _ in range(2))
    assert [row.state for row in first] == ["done", "refused"]
    assert first == second  # the seconds too: nothing was done again
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2  # why the bad one failed is said again
    assert told[0] == told[1]
    assert told[0].startswith("ivos: bad: prediction: ")
    other, _ = run_or_rebuild(EvaluateJob(structures=(2,)), [good, bad], out, Execution())
    assert [score.structure for score in scores_in(other.figures)] == [2]


def test_the_folder_of_another_job_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "scan").write_text("scan")
    cases, out = [Case("c", {"scan": str(tmp_path / "scan")})], tmp_path / "out"
    run_cohort(CountingJob(), cases, out, SerialBackend()).close()
    with pytest.raises(InputError, match="holds results of ivos count, not evaluate; give another folder"):
        run_or_rebuild(EvaluateJob(), [pair(tmp_path)], out, Execution())
    with run_cohort(CountingJob(), cases, out, SerialBackend()) as manifest:
        assert [row.state for row in manifest.rows()] == ["done"]
