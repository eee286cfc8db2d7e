"""Files of one case, whatever programs call them, through the commands: one rule for all."""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING

import numpy as np
import pytest

import ivos as package
from ivos.annotate.storage.worklist import scans_in
from ivos.training.data.prepare import load_manifest
from tests.cli.runner import ivos, refused
from tests.propagation.scenes import drawn_on, moving_discs

if TYPE_CHECKING:
    from pathlib import Path

SCAN, DISCS = moving_discs(slices=6, size=32)
LABELS = DISCS.with_array(DISCS.array, {3: "ball", 8: "disc"})
LEFT = ("._{}", ".DS_Store", "Thumbs.db", "desktop.ini")
"""By a Mac and by Windows; the first stands beside every file and has its suffix."""


def decomposed(name: str) -> str:
    return unicodedata.normalize("NFD", name)


def put(folder: Path, name: str, volume: package.Volume) -> None:
    package.write(folder / name, volume)
    for left in LEFT:
        (folder / left.format(name)).write_bytes(b"\0\5\26\7" + bytes(4000))


@pytest.fixture(params=["{}.seg.nrrd", "{}-label.nii.gz", "{}.seg.nii.gz", "{}_0000.nrrd"])
def study(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Scans with names of a Mac; labels with composed ones, as other programs call them."""
    form: str = request.param
    for case in ("Müller", "Žižka", "p0_0000"):
        put(tmp_path / "scans", decomposed(f"{case}.nii.gz"), SCAN)
        name = case.removesuffix("_0000")
        put(tmp_path / "drawn", form.format(name), drawn_on(LABELS, 2))
        put(tmp_path / "truth", form.format(name), LABELS)
        put(tmp_path / "found", decomposed(f"{case}.nii.gz"), LABELS)
    return tmp_path


CASES = ["Müller", "Žižka", "p0"]


def test_folders_pair_by_case(study: Path) -> None:
    out = study / "out"
    done = ivos("propagate", study / "scans", "--annotations", study / "drawn", "-o", out, "--engine", "flow")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in out.glob("*.nii.gz")} == {f"{case}.nii.gz" for case in CASES}
    scores = ivos(
        "evaluate", study / "found", study / "truth", "--json", "--report", study / "page", "--scans", study / "scans"
    )
    assert scores.returncode == 0, scores.stderr
    rows = json.loads(scores.stdout)["scores"]
    assert {row["case"] for row in rows} == set(CASES)
    assert {row["dsc"] for row in rows} == {1.0}
    assert ivos("ensemble", study / "found", study / "truth", study / "out", "-o", study / "joined").returncode == 0
    assert {path.name for path in (study / "joined").glob("*.nii.gz")} == {f"{case}.nii.gz" for case in CASES}
    video = ("video", study / "scans", "--labels", study / "truth", "-o", study / "videos")
    assert ivos(*video).returncode == 0
    assert {path.stem for path in (study / "videos").glob("*.gif")} == set(CASES)


def test_scans_and_labels_of_one_folder_are_prepared_propagated_and_listed(tmp_path: Path) -> None:
    folder = tmp_path / "all"
    for case, name in (("Müller", "{}.seg.nrrd"), ("b", "{}-label.nii.gz"), ("c", "{}_seg.nii.gz")):
        put(folder, decomposed(f"{case}.nii.gz"), SCAN)
        put(folder, name.format(case), LABELS)
    assert [unicodedata.normalize("NFC", p.name) for p in scans_in(folder, None)] == [
        f"{c}.nii.gz" for c in ("Müller", "b", "c")
    ]
    assert ivos("prepare", folder, "-o", tmp_path / "prepared", "--workers", 1).returncode == 0
    manifest = load_manifest(tmp_path / "prepared")
    assert {case.info.case: case.info.labelled for case in manifest.cases} == dict.fromkeys(("Müller", "b", "c"), True)
    assert not manifest.refused
    out = tmp_path / "out"
    assert ivos("propagate", folder, "--annotations", folder, "-o", out, "--engine", "flow").returncode == 0
    for path in out.glob("*.nii.gz"):
        np.testing.assert_array_equal(package.read_labels(path).array, LABELS.array)
    lonely = tmp_path / "lonely"
    put(lonely, "a.nii.gz", SCAN)
    assert "no annotations for a" in refused("propagate", lonely, "--annotations", lonely, "-o", tmp_path / "none")
    put(lonely, "a.seg.nrrd", LABELS)
    put(lonely, "a-label.nii.gz", LABELS)
    line = refused("propagate", lonely, "--annotations", lonely, "-o", tmp_path / "none")
    assert "a.seg.nrrd" in line
    assert "a-label.nii.gz" in line


def test_prepare_names_two_files_that_claim_to_be_one_scan(tmp_path: Path) -> None:
    for folder in ("part1", "part2"):
        put(tmp_path / "raw" / folder, "a.nii.gz", SCAN)
    line = refused("prepare", tmp_path / "raw", "-o", tmp_path / "out", "--workers", 1)
    assert str(tmp_path / "raw/part1/a.nii.gz") in line
    assert str(tmp_path / "raw/part2/a.nii.gz") in line
