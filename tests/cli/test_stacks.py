"""Stacks of a series on the command line: `ivos info` lists them, `--stack` chooses one wherever `--series` is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest
import typer

import ivos as package
from ivos.cli.main import app
from tests.cli.runner import ivos, refused
from tests.io.dicom.series import CORONAL, STORED, edited, referable_series

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import Dataset


@pytest.fixture
def two_stacks(tmp_path: Path) -> Path:
    """An axial and a coronal stack of one length in one series."""
    for number, how in enumerate(({}, CORONAL)):
        referable_series(tmp_path / "scan" / str(number), STORED, series="1.2.345", **how)

        def in_one_study(data: Dataset, _: int) -> None:
            data.StudyInstanceUID, data.FrameOfReferenceUID = "1.2.3", "1.2.4"

        edited(list((tmp_path / "scan" / str(number)).iterdir()), in_one_study)
    for number in (1, 2):
        scan = package.read(tmp_path / "scan", stack=number)
        array = np.zeros(scan.array.shape, np.uint8)
        drawn: Any = np.moveaxis(array, scan.geometry.through_plane_axis, 0)
        drawn[2, 1:3, 1:3] = 1
        package.write(tmp_path / f"drawn{number}.nii.gz", scan.with_array(array, {1: "liver"}))
    return tmp_path / "scan"


def test_info_lists_them_and_shows_the_one_that_is_chosen(two_stacks: Path) -> None:
    done = ivos("info", two_stacks)
    assert done.returncode == 0, done.stderr
    assert "Series ...1.2.345 abdomen" in done.stdout
    for number, orientation in (("1", "axial"), ("2", "coronal")):
        line = next(line for line in done.stdout.splitlines() if orientation in line and "│" in line)
        assert [cell.strip() for cell in line.split("│")[1:5]] == [number, orientation, "5", "2"]
    assert "choose one with --stack" in done.stdout
    stacks = json.loads(ivos("info", two_stacks, "--json").stdout)["stacks"]
    assert [(s["stack"], s["orientation"], s["slices"], s["spacing_mm"]) for s in stacks] == [
        (1, "axial", 5, 2.0),
        (2, "coronal", 5, 2.0),
    ]
    facts = json.loads(ivos("info", two_stacks, "--stack", "2", "--json").stdout)
    assert facts["slices_lie"] == "coronal"
    assert facts["stacks"] == stacks
    assert "no stack 3" in refused("info", two_stacks, "--stack", "3")


def test_a_series_with_a_slice_missing_is_refused_by_info(tmp_path: Path) -> None:
    referable_series(tmp_path)
    next(path for path in tmp_path.iterdir() if pydicom.dcmread(path).ImagePositionPatient[2] == 34).unlink()
    assert "missing or unevenly spaced" in refused("info", tmp_path)


def test_propagate_takes_the_stack_and_refers_to_it(two_stacks: Path, tmp_path: Path) -> None:
    words = ("propagate", two_stacks, "--annotations", tmp_path / "drawn2.nii.gz", "--engine", "nearest")
    assert "--stack" in refused(*words, "-o", tmp_path / "out.dcm")
    done = ivos(*words, "--stack", "2", "-o", tmp_path / "out.dcm")
    assert done.returncode == 0, done.stderr
    scan = package.read(two_stacks, stack=2)
    assert package.read_labels(tmp_path / "out.dcm", scan=scan).array.any()


def test_a_cohort_takes_them_from_its_list_and_knows_them_apart(two_stacks: Path, tmp_path: Path) -> None:
    rows = [f"{name},{two_stacks},{tmp_path}/drawn{n}.nii.gz,{n}" for n, name in ((1, "a"), (2, "b"))]
    (tmp_path / "list.csv").write_text("\n".join(["case,scan,annotations,stack", *rows]))
    words = ("propagate", tmp_path / "list.csv", "-o", tmp_path / "out", "--engine", "nearest", "--json")
    done = json.loads(ivos(*words).stdout)
    assert [(row["case"], row["stack"], row["axis"]) for row in done] == [("a", 1, "axial"), ("b", 2, "coronal")]
    (tmp_path / "list.csv").write_text("\n".join(["case,scan,annotations,stack", rows[0], f"{rows[1][:-1]}1"]))
    assert "has a case 'b' made of other files" in refused(*words)


def test_every_command_that_chooses_a_series_chooses_a_stack() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    names = {name: {word for option in command.params for word in option.opts} for name, command in commands.items()}
    choosing = {name for name, words in names.items() if "--series" in words}
    assert choosing == {name for name, words in names.items() if "--stack" in words}
    assert choosing == {"annotate", "info", "propagate", "segment", "suggest", "video"}
