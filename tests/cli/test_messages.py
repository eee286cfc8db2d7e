"""One of a thing is not called several."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

import ivos as package
from ivos.errors import counted
from ivos.volume.geometry import Geometry
from tests.cli.runner import ivos, refused

SEVERAL = re.compile(
    r"\b1 ((annotated|axial|reference|labelled) )*"
    r"(structures|scans|cases|slices|videos|predictions|files|voxels|labels|steps|folders)\b"
)


def test_counts() -> None:
    assert [counted(number, "slice") for number in (0, 1, 2)] == ["0 slices", "1 slice", "2 slices"]
    assert [counted(number, "series") for number in (0, 1, 2)] == ["0 series", "1 series", "2 series"]


def test_what_commands_say_of_one_scan_with_one_structure_annotated_on_one_slice(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grid = Geometry((6, 32, 32), (2.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    array = np.zeros(grid.shape, np.uint8)
    array[:, 8:20, 8:20] = 1
    drawn = np.where(np.arange(6)[:, None, None] == 3, array, 0)
    scan = rng.normal(0, 5, grid.shape) + 100.0 * array
    for name, voxels in (("scans", scan.astype(np.int16)), ("drawn", drawn), ("true", array)):
        package.write(tmp_path / name / "case.nii.gz", package.Volume.from_array(voxels, grid))
    file, engine = "case.nii.gz", ("--engine", "nearest")
    said = []
    for words in (
        (
            "propagate",
            tmp_path / "scans" / file,
            "--annotations",
            tmp_path / "drawn" / file,
            "-o",
            tmp_path / file,
            *engine,
        ),
        ("propagate", tmp_path / "scans", "--annotations", tmp_path / "drawn", "-o", tmp_path / "out", *engine),
        ("evaluate", tmp_path / "out", tmp_path / "true", "--report", tmp_path / "report"),
        ("video", tmp_path / "scans", "-o", tmp_path / "videos"),
        ("info", tmp_path / file),
    ):
        done = ivos(*words)
        assert done.returncode == 0, done
        said.append(done.stdout + done.stderr)
    assert said[0].startswith("1 structure from 1 annotated axial slice in ")
    assert said[1].startswith("1 of 1 scan propagated: ")
    assert said[3].startswith("1 video: ")
    said.append(refused("video", tmp_path / "scans", "-o", tmp_path / "more", "--labels", tmp_path / "report"))
    pages = [path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.html")]
    for text in (*said, *(re.sub(r"<[^>]*>", "", page) for page in pages)):
        assert not SEVERAL.search(text), text
