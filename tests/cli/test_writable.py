"""What cannot be written is refused before the work: nothing of the inputs is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import ivos
from ivos.volume.geometry import Geometry
from tests.cli.runner import refused

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan and labels that commands would fail on later, and a file where a folder would have to be."""
    folder = tmp_path_factory.mktemp("inputs")
    labels = ivos.Volume.from_array(np.ones((4, 8, 8), np.uint8), Geometry((4, 8, 8), (1.0,) * 3, (0.0,) * 3))
    for name in ("a", "b"):
        ivos.write(folder / name / "case.nii.gz", labels)
    (folder / "scan.nii.gz").write_bytes(b"broken")
    (folder / "file").write_text("no folder")
    return folder


@pytest.mark.parametrize(
    "words",
    [
        (
            "propagate",
            "{}/scan.nii.gz",
            "--annotations",
            "{}/scan.nii.gz",
            "-o",
            "{}/o.nii.gz",
            "--report",
            "{}/file/r",
        ),
        ("propagate", "{}/scan.nii.gz", "--annotations", "{}/scan.nii.gz", "-o", "{}/file/o.nii.gz"),
        ("segment", "{}/scan.nii.gz", "--reference", "{}/scan.nii.gz", "-o", "{}/o.nii.gz", "--report", "{}/file"),
        ("segment", "{}/scan.nii.gz", "--reference", "{}/scan.nii.gz", "-o", "{}/file/sub/o.nii.gz"),
        ("evaluate", "{}/scan.nii.gz", "{}/scan.nii.gz", "--csv", "{}/file/scores.csv"),
        ("evaluate", "{}/scan.nii.gz", "{}/scan.nii.gz", "--report", "{}/file/report"),
        ("compare", "{}/scan.nii.gz", "{}/scan.nii.gz", "-o", "{}/file/report"),
        ("fit-quality", "{}/a", "{}/b", "-o", "{}/file/trust.json"),
        ("ensemble", "{}/a", "{}/b", "-o", "{}/file/out"),
        ("pseudo-label", "{}/a", "{}/b", "-o", "{}/file/out"),
        ("video", "{}/scan.nii.gz", "-o", "{}/file/video.gif"),
        ("video", "{}/a", "-o", "{}/file/videos"),
        ("prepare", "{}/a", "-o", "{}/file/out"),
        ("weights", "export", "{}/scan.nii.gz", "-o", "{}/file/out"),
        ("profile", "-o", "{}/file/out", "--", "touch", "{}/touched"),
    ],
    ids=lambda words: f"{words[0]} {words[-1][3:]}" if isinstance(words, tuple) else str(words),
)
def test_it_is_said_before_anything_is_read(folder: Path, words: tuple[str, ...]) -> None:
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    message = refused(*(word.format(folder) for word in words))
    assert f"{folder}/file" in message
    assert "cannot be" in message
    assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == before
