"""`ivos evaluate`, `ivos phantom` and `ivos demo`, as a user runs them."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest

import ivos as package
from tests.cli.runner import ivos, ivos_here, refused
from tests.propagation.scenes import moving_discs

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    labels = moving_discs()[1]
    wrong = labels.with_array(labels.array.copy())
    wrong.array[:3] = 0
    package.write(tmp_path / "truth" / "a.nii.gz", labels)
    package.write(tmp_path / "prediction" / "a.nrrd", wrong)
    return tmp_path / "prediction", tmp_path / "truth"


def test_two_files_as_table_json_and_csv(pair: tuple[Path, Path], tmp_path: Path) -> None:
    files = pair[0] / "a.nrrd", pair[1] / "a.nii.gz"
    (tmp_path / "names.json").write_text('{"3": "ball", "8": "disc"}')
    table = ivos("evaluate", *files, "--scheme", tmp_path / "names.json").stdout
    assert "ball" in table
    assert "mean" in table
    scores = json.loads(ivos("evaluate", *files, "--json", "--csv", tmp_path / "s.csv").stdout)
    first, second = scores["scores"]
    assert 0.7 < first["dsc"] < 1
    assert scores["mean"]["dsc"] == pytest.approx((first["dsc"] + second["dsc"]) / 2)
    with (tmp_path / "s.csv").open() as file:
        assert [float(row["dsc"]) for row in csv.DictReader(file)] == [first["dsc"], second["dsc"]]


def test_two_folders(pair: tuple[Path, Path]) -> None:
    scores = json.loads(ivos("evaluate", *pair, "--json").stdout)["scores"]
    assert [(row["case"], row["structure"]) for row in scores] == [("a", 3), ("a", 8)]


def test_what_cannot_be_compared_is_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    assert "two files or two folders" in refused("evaluate", pair[0], pair[1] / "a.nii.gz")
    assert "no such file" in refused("evaluate", tmp_path / "no", pair[1])
    assert "more than 0 mm" in refused("evaluate", *pair, "--tolerance", "-1")
    assert "choose one of flare22" in refused("evaluate", *pair, "--scheme", "mine")
    package.write(pair[1] / "b.nii.gz", moving_discs()[1])
    done = ivos("evaluate", *pair)
    assert done.returncode == 1  # the others are scored
    assert "1 of 2 cases" in done.stdout
    assert "no prediction for it" in done.stderr
    assert "1 failed: b" in done.stderr


def test_phantoms_in_files(tmp_path: Path) -> None:
    done = ivos("phantom", "-o", tmp_path, "-n", "2", "--size", "48,48,16")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "images").glob("*_0000.nii.gz"))) == 2
    assert "16 to 1024" in refused("phantom", "-o", tmp_path, "--size", "5,5,5")
    assert "at least 1" in refused("phantom", "-o", tmp_path, "-n", "0")


@pytest.mark.slow
def test_the_demo_goes_the_whole_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ivos.cli.commands.demo._SHAPE", (36, 96, 96))
    done = ivos_here("demo", "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Mean DSC of 13 organs" in done.stdout
    names = {
        "scan.nii.gz",
        "slices.nii.gz",
        "truth.nii.gz",
        "labels.nii.gz",
        "report.html",
        "montage.png",
        "slices.gif",
    }
    assert {p.name for p in tmp_path.iterdir()} == names
    again = tmp_path / "again.nii.gz"
    run = (
        "propagate",
        tmp_path / "scan.nii.gz",
        "--annotations",
        tmp_path / "slices.nii.gz",
        "--fully-annotated",
        "all",
    )
    assert ivos(*run, "-o", again).returncode == 0
    same = package.read_labels(again).array == package.read_labels(tmp_path / "labels.nii.gz").array
    assert same.all()  # the files say what the objects said
