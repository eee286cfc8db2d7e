"""DICOM in and out of commands, and a patient of whom nothing is said outside DICOM headers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest

import ivos as package
from ivos.io.labels import LabelFormat, label_path, write_labels
from tests.cli.runner import ivos, refused
from tests.io.dicom.series import PATIENT, referable_series
from tests.propagation.scenes import moving_discs

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.volume.volume import Volume

NAMES = {3: "liver", 8: "spleen"}
TELLING = [word for value in PATIENT.values() for word in value.split("^")]


@pytest.fixture
def scene(tmp_path: Path) -> Volume:
    """The series of two cases, and the labels of both."""
    scan, labels = moving_discs()
    stored = (scan.array - scan.array.min()).astype(np.uint16)
    for case in ("a", "b"):
        referable_series(tmp_path / "scans" / case, stored)
    return package.read(tmp_path / "scans" / "a").with_array(labels.array, NAMES)


def test_contours_in_segments_out_and_nothing_said_of_the_patient(scene: Volume, tmp_path: Path) -> None:
    source, out = tmp_path / PATIENT["PatientID"], tmp_path / "out"
    (tmp_path / "scans" / "a").rename(source)
    slices = scene.with_array(np.zeros_like(scene.array), NAMES)
    for index in (3, 8):
        slices.array[index] = scene.array[index]
    write_labels(tmp_path / "drawn.dcm", slices, source=source, form=LabelFormat.rtstruct)
    done = ivos(
        "propagate", source, "--annotations", tmp_path / "drawn.dcm", "-o", out / "labels.dcm", "--engine", "flow",
        "--pseudonymise", tmp_path / "key", "--report", out / "report",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = package.read_labels(out / "labels.dcm", scan=package.read(source))
    np.testing.assert_array_equal(found.array[[3, 8]], scene.array[[3, 8]])
    header = pydicom.dcmread(out / "labels.dcm")
    assert header.PatientID.startswith("IVOS-")
    assert "flow" in header.SegmentSequence[0].SegmentAlgorithmName + str(header.SegmentSequence[0])
    said = [done.stdout.encode(), done.stderr.encode(), *(p.read_bytes() for p in out.rglob("*") if p.is_file())]
    assert not [word for word in TELLING for text in said if word.encode() in text]


def test_errors_say_nothing_of_the_patient(scene: Volume, tmp_path: Path) -> None:
    write_labels(tmp_path / "drawn.dcm", scene, source=tmp_path / "scans" / "b")
    line = refused(
        "propagate", tmp_path / "scans" / "a", "--annotations", tmp_path / "drawn.dcm", "-o", tmp_path / "out.dcm",
        "--engine", "flow",
    )  # fmt: skip
    assert "frame of reference of another scan" in line
    assert not [word for word in TELLING if word in line]
    assert not (tmp_path / "out.dcm").exists()


def test_an_ensemble_of_dicom_files_as_dicom(scene: Volume, tmp_path: Path) -> None:
    forms = {"first": LabelFormat.nifti, "second": LabelFormat.dicom_seg, "third": LabelFormat.rtstruct}
    for number, (name, form) in enumerate(forms.items()):
        array = scene.array.copy()
        array[: 2 + number] = 0
        for case in ("a", "b"):
            labels = scene.with_array(array, NAMES)
            source = tmp_path / "scans" / case
            write_labels(label_path(tmp_path / name, case, form), labels, source=source, form=form)
    folders = [tmp_path / name for name in forms]
    options = ("--scans", tmp_path / "scans", "--format", "dicom-seg", "--pseudonymise", tmp_path / "key")
    done = ivos("ensemble", *folders, "-o", tmp_path / "joined", *options)
    assert done.returncode == 0, done.stderr
    expected = scene.array.copy()
    expected[:3] = 0
    for case in ("a", "b"):
        found = package.read_labels(tmp_path / "joined" / f"{case}.dcm", scan=package.read(tmp_path / "scans" / case))
        np.testing.assert_array_equal(found.array, expected)
        assert found.names == NAMES
    ids = {pydicom.dcmread(tmp_path / "joined" / f"{case}.dcm").PatientID for case in ("a", "b")}
    assert len(ids) == 1  # one patient, one key
    trusted = ivos("pseudo-label", *folders[:2], "-o", tmp_path / "trusted", "--rule", "all", *options)
    assert trusted.returncode == 0, trusted.stderr
    assert package.read_labels(tmp_path / "trusted" / "a.dcm").names == NAMES
    written = [p.read_bytes() for p in (tmp_path / "trusted").rglob("*") if p.is_file() and p.suffix != ".dcm"]
    assert not [word for word in TELLING for text in written if word.encode() in text]
    again = refused("pseudo-label", *folders[:2], "-o", tmp_path / "trusted", "--rule", "all")
    assert "a case has labels in one format only" in again


def test_dicom_is_refused_before_the_work_where_it_cannot_be_written(scene: Volume, tmp_path: Path) -> None:
    for name in ("first", "second"):
        package.write(tmp_path / name / "a.nii.gz", scene)
    run = ("ensemble", tmp_path / "first", tmp_path / "second", "-o", tmp_path / "out")
    assert "needs the DICOM series of every case" in refused(*run, "--format", "dicom-seg")
    assert "says nothing of the patient" in refused(*run, "--pseudonymise", tmp_path / "key")
    package.write(tmp_path / "nifti" / "a.nii.gz", scene)
    assert "needs a scan that came as DICOM" in refused(*run, "--format", "rtstruct", "--scans", tmp_path / "nifti")
    assert not (tmp_path / "key").exists()
    assert not (tmp_path / "out").exists()


def test_segments_are_scored_against_voxels(scene: Volume, tmp_path: Path) -> None:
    wrong = scene.with_array(scene.array.copy(), NAMES)
    wrong.array[:6] = 0
    package.write(tmp_path / "truth" / "a.nii.gz", scene)
    package.write(tmp_path / "voxels" / "a.nii.gz", wrong)
    write_labels(tmp_path / "segments" / "a.dcm", wrong, source=tmp_path / "scans" / "a")

    def scores(prediction: Path, truth: Path) -> object:
        return json.loads(ivos("evaluate", prediction, truth, "--json").stdout)["scores"]

    expected = scores(tmp_path / "voxels", tmp_path / "truth")
    assert scores(tmp_path / "segments", tmp_path / "truth") == expected
    one = scores(tmp_path / "segments" / "a.dcm", tmp_path / "truth" / "a.nii.gz")
    assert [row["dsc"] for row in one] == [row["dsc"] for row in expected]  # type: ignore[attr-defined]
    told = json.loads(ivos("info", tmp_path / "segments" / "a.dcm", "--json").stdout)["labels"]
    assert [(row["label"], row["name"]) for row in told] == list(NAMES.items())
