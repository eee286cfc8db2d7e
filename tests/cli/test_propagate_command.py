"""`ivos propagate` and its neighbours, as a user runs them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import SimpleITK as sitk

import ivos as package
from tests.cli.runner import IVOS, ivos, refused
from tests.io.grids import write_dicom
from tests.processes import HANG_S, completed, started
from tests.propagation.scenes import dice, drawn_on, moving_discs

if TYPE_CHECKING:
    from ivos.volume.volume import Volume


def write(folder: Path, **volumes: Volume) -> None:
    for name, volume in volumes.items():
        package.write(folder / f"{name}.nii.gz", volume)


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    scan, labels = moving_discs()
    write(tmp_path, scan=scan, labels=labels, slices=drawn_on(labels, 2, 9))
    return tmp_path


def test_from_drawn_slices_to_a_labelled_volume_with_a_report(scene: Path) -> None:
    out, report = scene / "deep" / "out.nii.gz", scene / "report"
    done = ivos(
        "propagate", scene / "scan.nii.gz", "--annotations", scene / "slices.nii.gz", "-o", out, "--report", report
    )
    assert done.returncode == 0, done.stderr
    assert "2 structures from 2 annotated axial slices" in done.stdout
    scan, result, truth = (sitk.ReadImage(str(p)) for p in (scene / "scan.nii.gz", out, scene / "labels.nii.gz"))
    assert result.GetSize() == scan.GetSize()
    assert result.GetDirection() == scan.GetDirection()
    found, true = sitk.GetArrayFromImage(result), sitk.GetArrayFromImage(truth)
    assert min(dice(found == k, true == k) for k in (3, 8)) > 0.9
    html = (report / "report.html").read_text()
    assert 'src="data:image/png' in html
    assert all(link.startswith("data:") for link in re.findall(r'(?:src|href)="([^"]*)', html))  # no network
    assert not re.search(r"url\(|@import|<script", html)
    assert {p.name for p in report.iterdir()} == {"report.html", "montage.png", "slices.gif"}


def test_json_for_scripts(scene: Path) -> None:
    done = ivos(
        "propagate", scene / "scan.nii.gz", "--annotations", scene / "slices.nii.gz", "-o", scene / "o.nrrd", "--json"
    )
    content = json.loads(done.stdout)
    assert content["annotated_slices"] == [2, 9]
    assert content["axis"] == "axial"
    assert [row["label"] for row in content["structures"]] == [3, 8]


def test_complete_slices_are_numbered_as_in_the_file(tmp_path: Path) -> None:
    """The file's slices run from head to feet; its slice 1 is our last but one."""
    scan, labels = moving_discs(slices=8)
    down = [sitk.Flip(sitk.GetImageFromArray(v.array), (False, False, True)) for v in (scan, drawn_on(labels, 3))]
    for name, image in zip(("scan", "slices"), down, strict=True):
        image.SetDirection((1, 0, 0, 0, 1, 0, 0, 0, -1))
        sitk.WriteImage(image, str(tmp_path / f"{name}.nrrd"))
    arguments = ["propagate", tmp_path / "scan.nrrd", "--annotations", tmp_path / "slices.nrrd", "--engine", "nearest"]
    done = ivos(*arguments, "-o", tmp_path / "out.nrrd", "--fully-annotated", "1", "--json")
    assert json.loads(done.stdout)["annotated_slices"] == [1, 4]
    result = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out.nrrd")))
    assert [bool(z.any()) for z in result] == [False, False, False, True, True, True, True, True]


def test_dicom_in_labels_out(tmp_path: Path) -> None:
    scan, labels = moving_discs()
    write_dicom(tmp_path / "dicom", (scan.array + 1024).astype(np.uint16))
    drawn = package.read(tmp_path / "dicom").with_array(drawn_on(labels, 5).array)
    package.write(tmp_path / "slices.nii.gz", drawn)
    out = tmp_path / "out.nii.gz"
    done = ivos("propagate", tmp_path / "dicom", "--annotations", tmp_path / "slices.nii.gz", "-o", out)
    assert done.returncode == 0, done.stderr
    assert sitk.ReadImage(str(out)).GetOrigin() == pytest.approx((10, 20, 30))


def test_refusals_are_one_line_and_write_nothing(scene: Path) -> None:
    scan, slices, out = scene / "scan.nii.gz", scene / "slices.nii.gz", scene / "out.nii.gz"
    other = moving_discs(slices=5)[1]
    write(scene, other=other)
    before = sorted(scene.rglob("*"))
    with_slices = ("--annotations", slices)
    flow = (*with_slices, "--engine", "flow")
    assert "no such file" in refused("propagate", scene / "no.nii.gz", *with_slices, "-o", out)
    assert "not on the scan's grid" in refused("propagate", scan, "--annotations", scene / "other.nii.gz", "-o", out)
    assert "labels must be 0 or more" in refused("propagate", scan, "--annotations", scan, "-o", out)
    assert "cannot write '.jpg'" in refused("propagate", scan, *with_slices, "-o", scene / "out.jpg")
    assert "is an input" in refused("propagate", scan, *with_slices, "-o", slices)
    assert "needs weights" in refused("propagate", scan, *with_slices, "-o", out, "--engine", "stcn")
    assert "for the engine 'stcn'" in refused("propagate", scan, *with_slices, "-o", out, "--bfloat16")
    assert "takes no checkpoint" in refused("propagate", scan, *flow, "-o", out, "--checkpoint", scan)
    assert "not drawn anywhere" in refused("propagate", scan, *with_slices, "-o", out, "--structures", "5")
    assert "1,4,7-9" in refused("propagate", scan, *with_slices, "-o", out, "--structures", "liver")
    assert "outside the scan" in refused("propagate", scan, *with_slices, "-o", out, "--fully-annotated", "12")
    assert "is not a size" in refused("propagate", scan, *with_slices, "-o", out, "--memory-budget", "lots")
    assert sorted(scene.rglob("*")) == before


@pytest.mark.slow
def test_interrupting_leaves_nothing_half_written(tmp_path: Path) -> None:
    scan, labels = moving_discs(slices=500, size=256)
    write(tmp_path, scan=scan, slices=drawn_on(labels, 0, 200))
    before = sorted(tmp_path.rglob("*"))
    words = ["propagate", tmp_path / "scan.nii.gz", "--annotations", tmp_path / "slices.nii.gz", "--engine", "flow"]
    with started([IVOS, *words, "-o", tmp_path / "out.nii.gz"], stderr=subprocess.PIPE, text=True) as process:
        time.sleep(2)
        assert process.poll() is None, "the scan is too small for this test"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=HANG_S)
    assert process.returncode not in (0, 2)
    assert "Traceback" not in errors
    assert sorted(tmp_path.rglob("*")) == before


def test_info_of_a_scan_and_of_labels(scene: Path) -> None:
    facts = json.loads(ivos("info", scene / "scan.nii.gz", "--json").stdout)
    assert facts["size_xyz"] == [64, 64, 12]
    assert facts["spacing_mm_xyz"] == [1, 1, 2]
    assert facts["modality"] == "CT"
    labels = json.loads(ivos("info", scene / "slices.nii.gz", "--json").stdout)["labels"]
    assert [(row["label"], row["slices"]) for row in labels] == [(3, 2), (8, 2)]
    assert "64, 64, 12" in ivos("info", scene / "scan.nii.gz").stdout
    assert "no such file" in refused("info", scene / "no.nii.gz")


def test_help_is_quick_and_complete() -> None:
    done = ivos("--help")
    for command in ("propagate", "evaluate", "info", "phantom", "demo", "--install-completion"):
        assert command in done.stdout
    heavy = "import sys, ivos.cli.main; print([m for m in ('torch', 'SimpleITK', 'cv2', 'monai') if m in sys.modules])"
    python = IVOS.parent / "python"
    assert completed([python, "-c", heavy]).stdout.strip() == "[]"
