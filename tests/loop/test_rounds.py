"""Rounds of training and pseudo-labels: what is learned from, and that a loop goes on wherever it was stopped."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import load_file

import ivos as package
from ivos.config import load_settings
from ivos.errors import InputError
from ivos.loop.records import read_decisions, read_rounds, write_rounds
from ivos.loop.rounds import run_loop
from ivos.loop.settings import LoopSettings
from ivos.training.data.prepare import prepare
from tests.cli.runner import ivos, refused
from tests.propagation.scenes import moving_discs

if TYPE_CHECKING:
    from ivos.training.data.cases import ChosenCases

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's, on few steps and workers


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loop")
    for number in range(5):
        scan, labels = moving_discs(slices=6, size=32, seed=number)
        package.write(folder / "raw" / "images" / f"case{number}_0000.nii.gz", scan)
        if number < 3:
            package.write(folder / "raw" / "labels" / f"case{number}.nii.gz", labels)
    prepare(folder / "raw", folder / "prepared", folds=3)
    return folder / "prepared"


def settings(cohort: Path, rounds: int = 1, rule: str = "all") -> LoopSettings:
    return LoopSettings.model_validate(
        {
            "train": {"data": {"scans": cohort, "size": 32, "batch": 2, "workers": 0}, "steps": 2, "validate_every": 2},
            "segment": {"propagation": "none"},
            "pseudo_label": {"rule": rule},
            "rounds": rounds,
        }
    )


def weights(folder: Path) -> dict[str, np.ndarray]:
    return load_file(folder / "round_1" / "run" / "reference.safetensors")


@pytest.fixture(scope="module")
def whole(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    run_loop(settings(cohort), folder)
    return folder


def test_the_second_round_learns_from_pseudo_labels(cohort: Path, whole: Path) -> None:
    first, second = run_loop(settings(cohort), whole)  # nothing is left to do
    assert (first.labelled, first.pseudo_labelled) == (2, 0)
    assert second.labelled == 2
    judgements = read_decisions(whole / "round_1")
    assert set(judgements) == {"case3", "case4"}
    assert second.pseudo_labelled == sum(judged.accepted for judged in judgements.values())
    assert first.validation_dsc is not None


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("after", ["validating", "segmenting (both_stages)", "segmenting (slices)"])
def test_a_loop_that_was_stopped_in_any_phase_ends_the_same(
    cohort: Path, whole: Path, tmp_path: Path, after: str
) -> None:
    def stop(what: str, *_: int) -> None:
        if what == after:
            raise StoppedError

    with pytest.raises(StoppedError):
        run_loop(settings(cohort), tmp_path, stop)
    rounds = run_loop(settings(cohort), tmp_path)
    assert [r.validation_dsc for r in rounds] == [r.validation_dsc for r in run_loop(settings(cohort), whole)]
    ended = weights(whole)
    assert all((value == ended[name]).all() for name, value in weights(tmp_path).items())


def test_a_person_s_labels_outrank_pseudo_labels(cohort: Path, whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole / "round_0", tmp_path / "round_0")
    _, corrected = moving_discs(slices=6, size=32, seed=3)
    package.write(tmp_path / "review" / "case3.nii.gz", corrected)
    seen: list[tuple[int, int]] = []  # rounds that have pseudo-labels, rounds that have ended

    def work(what: str, *_: int) -> None:  # while the networks segment
        if what == "segmenting (slices)":
            package.write(tmp_path / "review" / "case4.nii.gz", corrected)

    def look(cases: ChosenCases) -> None:
        assert len(cases.unlabelled) == 2
        seen.append((len(list(tmp_path.glob("*/judged.json"))), len(read_rounds(tmp_path))))

    rounds = run_loop(settings(cohort, rule="worst-structure"), tmp_path, work, look)
    assert seen == [(0, 0), (0, 1), (1, 1), (1, 2)]
    judgements = read_decisions(tmp_path / "round_1")
    assert judgements["case3"].corrected
    assert judgements["case4"].corrected
    assert rounds[1].labelled == 4
    written = package.read_labels(tmp_path / "round_1" / "labels" / "case3.nii.gz")
    np.testing.assert_array_equal(written.array, corrected.array)


def test_corrected_labels_that_do_not_fit_are_refused_before_the_work(
    cohort: Path, whole: Path, tmp_path: Path
) -> None:
    shutil.copytree(whole / "round_0", tmp_path / "round_0")
    write_rounds(tmp_path, read_rounds(whole)[:1])
    package.write(tmp_path / "review" / "case4.nii.gz", moving_discs(slices=7, size=32)[1])
    with pytest.raises(InputError, match=r"case4.nii.gz: not on the scan's grid"):
        run_loop(settings(cohort), tmp_path)
    assert not (tmp_path / "round_1").exists()


def test_change_is_measured_from_the_round_before(cohort: Path, tmp_path: Path) -> None:
    chosen = settings(cohort, rounds=2, rule="change")
    chosen = chosen.model_copy(
        update={"patience": 9, "pseudo_label": chosen.pseudo_label.model_copy(update={"threshold": 0.0})}
    )
    run_loop(chosen, tmp_path)
    first, second = (read_decisions(tmp_path / f"round_{n}") for n in (1, 2))
    assert not any(judged.accepted for judged in first.values())  # there is nothing before
    assert all(judged.trust is not None for judged in second.values())
    assert any(judged.accepted for judged in second.values())


def test_a_folder_with_another_loop_is_left_alone(cohort: Path, whole: Path) -> None:
    with pytest.raises(InputError, match="other settings"):
        run_loop(settings(cohort, rule="ivos"), whole)


def test_the_recipe_is_one() -> None:
    recipe = Path(__file__).parents[2] / "configs" / "laptop" / "loop.yaml"
    assert load_settings(LoopSettings, [recipe]).pseudo_label.rule == "worst-structure"


def test_the_command_says_what_came_of_each_round(whole: Path) -> None:
    path = whole / "settings.yaml"
    done = ivos("self-train", path, "-o", whole)
    assert done.returncode == 0, done.stderr
    assert "Weights of round" in done.stdout
    assert str(whole / "loop.html") in done.stdout
    assert (whole / "loop.html").read_text().count("<svg") == 2
    assert "data:image/jpeg" in (whole / "round_1" / "review.html").read_text()
    assert "segmnt" in refused("self-train", path, "segmnt.every=2", "-o", whole)
