"""Where cases come from: folders, lists, trees of DICOM series."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

import ivos
from ivos.cohort.dicom_tree import SeriesRules
from ivos.cohort.sources import FoundCases, cases_from, joined
from ivos.errors import InputError
from tests.io.grids import write_dicom

PATIENT = "MUSTERMANN"


def series(folder: Path, uid: str, slices: int = 12, **tags: Any) -> None:
    """A series of a patient with a telling name."""
    stored = np.zeros((slices, 4, 4), np.uint16)
    tags = {"PatientName": PATIENT, "SliceThickness": 2.0, "ConvolutionKernel": "B30f", **tags}
    for path in write_dicom(folder, stored, series=uid, description=uid.replace(".", "_")):
        data = pydicom.dcmread(path)
        for name, value in tags.items():
            setattr(data, name, value)
        data.save_as(path)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    study = root / PATIENT / "study1"
    series(study / "thin", "1.2.3.1")
    series(study / "thick", "1.2.3.2", SliceThickness=8.0)
    series(study / "sharp", "1.2.3.3", ConvolutionKernel="B70s")
    series(study / "scout", "1.2.3.4", slices=2, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    series(study / "short", "1.2.3.5", slices=3)
    series(root / "other" / "mr", "1.2.3.6", Modality="MR")
    report = pydicom.dcmread(next((study / "short").iterdir()))
    report.SeriesInstanceUID, report.Modality = "1.2.3.7", "SR"
    del report.ImagePositionPatient
    report.save_as(study / "report.dcm")
    (study / "thin" / "notes.txt").write_text("stray")
    (study / "cut.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\x02\x00\x10\x00UI\xff\xff")
    return root


def test_series_of_a_tree_by_rules_and_why_the_others_are_left_out(tree: Path) -> None:
    found = cases_from(tree, rules=SeriesRules("CT", (0.5, 5.0), "b30", 10))
    assert [case.series for case in found.cases] == ["1.2.3.1"]
    assert found.left_out == {
        "files without a series": 1,
        "localisers": 1,
        "series of another slice thickness": 1,
        "series of another kernel": 1,
        "series of fewer than 10 slices": 1,
        "series of modality MR": 1,
        "series without slices of a volume": 1,
    }
    case = found.cases[0]
    assert Path(case.inputs["scan"]) == tree / PATIENT / "study1" / "thin"
    assert ivos.read(case.inputs["scan"], series=case.series).array.shape == (12, 4, 4)
    assert len(cases_from(tree).cases) == 4
    asked = cases_from(tree, rules=SeriesRules(series="3.3"))
    assert [case.series for case in asked.cases] == ["1.2.3.3"]
    assert asked.left_out["series that are not asked for"] == 4
    with pytest.raises(InputError, match=r"no series to take: .*1 localisers.*--series- rules"):
        cases_from(tree, rules=SeriesRules("PT"))


def test_names_of_series_are_always_the_same_and_say_nothing(tree: Path, tmp_path: Path) -> None:
    names = {case.name for case in cases_from(tree).cases}
    assert len(names) == 4
    assert not any(PATIENT in name or "1.2.3" in name for name in names)
    shutil.copytree(tree / PATIENT, tmp_path / "moved" / "flat")
    assert {case.name for case in cases_from(tmp_path).cases} < names


def test_a_list_names_cases_with_paths_relative_to_itself(tmp_path: Path) -> None:
    entries = [
        {"case": "a", "scan": "scans/x.nii.gz", "annotations": "drawn/x.nii.gz", "series": "1.2", "age": "60"},
        {"case": "b", "scan": "/elsewhere/y.nii.gz", "annotations": "s3://bucket/y.nii.gz"},
    ]
    (tmp_path / "list.json").write_text(json.dumps(entries))
    with (tmp_path / "list.csv").open("w", encoding="utf-8-sig", newline="") as file:  # as spreadsheets write it
        writer = csv.DictWriter(file, entries[0])
        writer.writeheader()
        writer.writerows(entries)
    expected = [
        ("a", {"scan": str(tmp_path / "scans/x.nii.gz"), "annotations": str(tmp_path / "drawn/x.nii.gz")}, "1.2"),
        ("b", {"scan": "/elsewhere/y.nii.gz", "annotations": "s3://bucket/y.nii.gz"}, None),
    ]
    for name in ("list.json", "list.csv"):
        found = cases_from(tmp_path / name, roles=("annotations",))
        assert [(case.name, case.inputs, case.series) for case in found.cases] == expected


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.csv", "case,file\nx,y\n", "entry 1 has no 'scan'; each needs case, scan"),
        ("a.csv", "case,scan\n../x,y\n", "'../x' cannot be a file's name"),
        ("a.csv", "case,scan\n", "lists no cases"),
        ("a.json", '{"case": "x"}', "not a list of cases"),
        ("a.json", '["x"]', "entry 1 has no 'case'"),
        ("a.json", "[", "not JSON"),
    ],
)
def test_lists_that_are_none(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=told):
        cases_from(tmp_path / name)


def test_folders_by_the_names_of_their_files(tmp_path: Path) -> None:
    for name in ("scans/a_0000.nii.gz", "scans/b_0000.nii.gz", "drawn/a.nii.gz", "empty/readme.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = cases_from(tmp_path / "scans")
    assert [case.name for case in found.cases] == ["a", "b"]
    with pytest.raises(InputError, match="no annotations for b"):
        joined(found, "annotations", tmp_path / "drawn")
    one = joined(FoundCases(found.cases[:1]), "annotations", tmp_path / "drawn").cases[0]
    assert one.inputs["annotations"] == str(tmp_path / "drawn" / "a.nii.gz")
    with pytest.raises(InputError, match="give them with --annotations"):
        cases_from(tmp_path / "scans", roles=("annotations",))
    with pytest.raises(InputError, match="apply only to DICOM folders"):
        cases_from(tmp_path / "scans", rules=SeriesRules(modality="CT"))
    with pytest.raises(InputError, match="neither image files nor DICOM"):
        cases_from(tmp_path / "empty")
    with pytest.raises(InputError, match="no such folder"):
        cases_from(tmp_path / "none", rules=SeriesRules(modality="CT"))
