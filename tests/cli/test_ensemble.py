"""`ivos ensemble` as a user runs it: pairing, faults, the three rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import ivos as package
from ivos.io.probabilities import write_probabilities
from tests.cli.runner import ivos, refused
from tests.propagation.scenes import moving_discs

if TYPE_CHECKING:
    from pathlib import Path

TRUTH = moving_discs()[1]
NAMES = {3: "ball", 8: "disc"}


@pytest.fixture
def predictions(tmp_path: Path) -> list[Path]:
    """Three predictions of three cases; each errs on slices of its own."""
    folders = [tmp_path / name for name in ("first", "second", "third")]
    for number, folder in enumerate(folders):
        array = TRUTH.array.copy()
        array[4 * number : 4 * number + 2] = 0
        for case in ("a", "b", "c"):
            package.write(folder / f"{case}{('.nii.gz', '.nrrd', '.nii')[number]}", TRUTH.with_array(array, NAMES))
    return folders


def test_a_vote_over_folders(predictions: list[Path], tmp_path: Path) -> None:
    done = ivos("ensemble", *predictions, "-o", tmp_path / "joined", "--uncertainty")
    assert done.returncode == 0, done
    assert done.stdout.startswith("3 cases of 3 predictions by majority")
    for case in ("a", "b", "c"):
        joined = package.read_labels(tmp_path / "joined" / f"{case}.nii.gz")
        np.testing.assert_array_equal(joined.array, TRUTH.array)
        assert joined.names == NAMES
    doubt = package.read(tmp_path / "joined" / "uncertainty" / "a.nii.gz").array
    missed = [0, 1, 4, 5, 8, 9]
    assert set(np.unique(doubt[missed][TRUTH.array[missed] > 0])) == {85}
    assert not doubt[[2, 3, 6, 7, 10, 11]].any()


def test_one_broken_case_keeps_no_other_from_being_done(predictions: list[Path], tmp_path: Path) -> None:
    path = predictions[1] / "b.nrrd"
    path.write_bytes(path.read_bytes()[:-40])
    package.write(predictions[2] / "c.nii", TRUTH.with_array(TRUTH.array, {3: "liver"}))
    done = ivos("ensemble", *predictions, "-o", tmp_path / "joined", "--rule", "staple")
    assert done.returncode == 1, done
    lines = done.stderr.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith(f"ivos: b: {path}: ")
    assert lines[1].startswith(f"ivos: c: label 3 is 'liver' in {predictions[2] / 'c.nii'} and 'ball' in ")
    assert lines[2] == "1 of 3 done; 2 failed: b, c"
    assert [p.name for p in (tmp_path / "joined").iterdir()] == ["a.nii.gz"]


def test_mean_of_probabilities(predictions: list[Path], tmp_path: Path) -> None:
    for folder, sure in zip(predictions, (255, 120, 120), strict=True):
        for case in ("a", "b", "c"):
            maps = ((k, NAMES[k], np.where(TRUTH.array == k, np.uint8(sure), np.uint8(0))) for k in NAMES)
            write_probabilities(folder, case, TRUTH, maps)
    (predictions[1] / "probabilities" / "b" / "8_disc.nii.gz").unlink()
    done = ivos("ensemble", *predictions, "-o", tmp_path / "joined", "--rule", "mean-probability")
    assert done.returncode == 1, done
    assert "b: lacks probabilities that other predictions have, of labels: 8" in done.stderr
    joined = package.read_labels(tmp_path / "joined" / "a.nii.gz")
    np.testing.assert_array_equal(joined.array, TRUTH.array)  # one is sure, though two would each say background


def test_what_cannot_be_joined_is_refused(predictions: list[Path], tmp_path: Path) -> None:
    first, second, third = predictions
    joined = tmp_path / "joined"
    assert "two folders of predictions or more" in refused("ensemble", first, "-o", joined)
    assert "is given twice" in refused("ensemble", first, second, first, "-o", joined)
    assert "is an input" in refused("ensemble", first, second, "-o", second)
    assert "is a file" in refused("ensemble", first, second, "-o", first / "a.nii.gz")
    assert "has no probabilities/" in refused("ensemble", *predictions, "-o", joined, "--rule", "mean-probability")
    (third / "b.nii").unlink()
    assert f"{third}: no labels of 1 of 3 cases that others have: b" in refused("ensemble", *predictions, "-o", joined)
    assert not joined.exists()
