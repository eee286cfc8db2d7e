"""`ivos suggest`, as a user runs it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import SimpleITK as sitk

import ivos as package
from tests.cli.runner import ivos, refused
from tests.propagation.scenes import drawn_on, moving_discs

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    scan, labels = moving_discs()
    package.write(tmp_path / "scan.nii.gz", scan)
    package.write(tmp_path / "slices.nii.gz", drawn_on(labels, 1))
    return tmp_path


def test_a_table_and_json_say_the_same(scene: Path) -> None:
    words = ("suggest", scene / "scan.nii.gz", "--annotations", scene / "slices.nii.gz", "-n", "2", "--engine", "flow")
    found = json.loads(ivos(*words, "--json").stdout)
    assert found["axis"] == "axial"
    assert len(found["slices"]) == 2
    assert found["slices"][0]["slice"] > 2  # slice 1 is drawn, and what is near it known
    assert {row["structure"] for row in found["by_structure"]} == {3, 8}
    table = ivos(*words).stdout
    for row in (*found["slices"], *found["by_structure"]):
        line = (row["name"], str(row["slice"]), f"{row['gain']:+.3f}", row["why"])
        assert any(all(cell in text for cell in line) for text in table.splitlines()), line


def test_slices_are_numbered_as_in_the_file_and_structures_chosen(tmp_path: Path) -> None:
    """The file's slices run from head to feet; its slice 1 is our last but one."""
    scan, labels = moving_discs()
    down = [sitk.Flip(sitk.GetImageFromArray(v.array), (False, False, True)) for v in (scan, drawn_on(labels, 10))]
    for name, image in zip(("scan", "slices"), down, strict=True):
        image.SetDirection((1, 0, 0, 0, 1, 0, 0, 0, -1))
        sitk.WriteImage(image, str(tmp_path / f"{name}.nrrd"))
    words = ["suggest", tmp_path / "scan.nrrd", "--annotations", tmp_path / "slices.nrrd", "--engine", "nearest"]
    found = json.loads(ivos(*words, "--structures", "8", "--fully-annotated", "1", "--json").stdout)
    assert found["slices"][0]["slice"] > 3
    assert {row["structure"] for row in (*found["slices"], *found["by_structure"])} == {8}


def test_what_cannot_be_done_is_refused(scene: Path) -> None:
    words = ("suggest", scene / "scan.nii.gz", "--annotations", scene / "slices.nii.gz", "--engine", "flow")
    assert "give at least 1" in refused(*words, "-n", "0")
    assert "not drawn anywhere" in refused(*words, "--structures", "5")
    assert "outside the scan" in refused(*words, "--fully-annotated", "12")
    assert "takes no checkpoint" in refused(*words, "--checkpoint", scene / "scan.nii.gz")
    package.write(scene / "empty.nii.gz", drawn_on(moving_discs()[1]))
    assert "are empty" in refused("suggest", scene / "scan.nii.gz", "--annotations", scene / "empty.nii.gz")
