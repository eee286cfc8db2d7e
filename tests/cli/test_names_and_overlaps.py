"""Commands on label files that name, number or overlap their structures in several ways."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest

import ivos as package
from ivos.io.labels import LabelFormat, write_labels
from tests.cli.runner import ivos, refused
from tests.io.dicom.series import referable_series
from tests.propagation.scenes import moving_discs

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.volume.volume import Volume


@pytest.fixture
def truth(tmp_path: Path) -> Volume:
    """Labels 3 and 8 on a DICOM series, written as truth.nii.gz; and the same under each other's ids."""
    scan, labels = moving_discs(size=32)
    referable_series(tmp_path / "scan", (scan.array - scan.array.min()).astype(np.uint16))
    true = package.read(tmp_path / "scan").with_array(labels.array, {3: "liver", 8: "spleen"})
    package.write(tmp_path / "truth.nii.gz", true)
    package.write(tmp_path / "permuted.nii.gz", permuted(true))
    return true


def permuted(labels: Volume) -> Volume:
    array = np.choose((labels.array == 3) + 2 * (labels.array == 8), [0, 8, 3]).astype(np.uint8)
    return labels.with_array(array, {8: "liver", 3: "spleen"})


def dsc(*words: object) -> dict[str, float]:
    done = ivos("evaluate", *words, "--json")
    assert done.returncode == 0, done.stderr
    return {row["name"]: row["dsc"] for row in json.loads(done.stdout)["scores"]}


def test_evaluate_by_names_and_by_ids(truth: Volume, tmp_path: Path) -> None:
    pair = (tmp_path / "permuted.nii.gz", tmp_path / "truth.nii.gz")
    done = ivos("evaluate", *pair)
    assert "labels matched by name with the truth: 3 (spleen) is 8, 8 (liver) is 3 there" in done.stderr
    assert dsc(*pair) == dsc(*pair, "--by", "name") == {"liver": 1, "spleen": 1}
    assert dsc(*pair, "--by", "id") == {"liver": 0, "spleen": 0}
    write_labels(tmp_path / "permuted.dcm", permuted(truth), source=tmp_path / "scan")
    assert dsc(tmp_path / "permuted.dcm", pair[1]) == {"liver": 1, "spleen": 1}
    package.write(tmp_path / "other.nii.gz", truth.with_array(truth.array, {3: "liver", 8: "kidney"}))
    line = refused("evaluate", tmp_path / "other.nii.gz", pair[1])
    assert "label 8 is 'kidney' in the prediction and 'spleen' in the truth" in line
    assert "--by id or --by name" in line


def test_an_ensemble_joins_by_names(truth: Volume, tmp_path: Path) -> None:
    for number, labels in enumerate((truth, permuted(truth), truth)):
        for case in ("a", "b"):
            package.write(tmp_path / str(number) / f"{case}.nii.gz", labels)
    folders = [tmp_path / str(number) for number in range(3)]
    done = ivos("ensemble", *folders, "-o", tmp_path / "joined")
    assert done.returncode == 0, done.stderr
    told = f"ivos: {folders[1]}: labels matched by name with {folders[0]}: 3 (spleen) is 8, 8 (liver) is 3 there"
    assert done.stderr.splitlines() == [told]
    joined = package.read_labels(tmp_path / "joined" / "b.nii.gz")
    np.testing.assert_array_equal(joined.array, truth.array)
    assert joined.names == truth.names
    by_id = ivos("ensemble", *folders, "-o", tmp_path / "by_id", "--by", "id")
    assert by_id.returncode == 1
    assert "label 3 is 'liver' in one prediction and 'spleen' in another" in by_id.stderr


def test_a_cohort_with_a_bad_pair(truth: Volume, tmp_path: Path) -> None:
    for case in ("a", "b", "c"):
        package.write(tmp_path / "true" / f"{case}.nii.gz", truth)
        package.write(tmp_path / "found" / f"{case}.nii.gz", truth)
    empty = truth.array.copy()
    empty[empty == 8] = 0
    package.write(tmp_path / "found" / "a.nii.gz", truth.with_array(empty, truth.names))
    (tmp_path / "found" / "b.nii.gz").write_bytes(b"broken")
    done = ivos("evaluate", tmp_path / "found", tmp_path / "true", "--csv", tmp_path / "s.csv", "--json")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "2 of 3 done; 1 failed: b"
    content = json.loads(done.stdout)
    assert (content["cases"], list(content["failed"]), content["mean_over"]["cases"]) == (3, ["b"], 2)
    assert content["structures"][1]["cases"] == {"dsc": 2, "nsd": 2, "hd95_mm": 1}
    assert content["mean_over"]["hd95_mm"] == 3
    table = ivos("evaluate", tmp_path / "found", tmp_path / "true").stdout
    assert "2 of 3 cases, mean ± SD" in table
    assert "(n=1)" in table
    assert "standard,2.0" in (tmp_path / "s.csv").read_text()
    (tmp_path / "found" / "a.nii.gz").unlink()
    (tmp_path / "found" / "c.nii.gz").write_bytes(b"broken")
    nothing = ivos("evaluate", tmp_path / "found", tmp_path / "true")
    assert (nothing.returncode, nothing.stdout) == (2, "")
    assert nothing.stderr.splitlines()[-1] == "ivos: none of 3 cases can be compared: a, b, c"


@pytest.fixture
def body(truth: Volume, tmp_path: Path) -> Path:
    """The contours of both structures, and a body around them that holds all of both."""
    write_labels(tmp_path / "organs.dcm", truth, source=tmp_path / "scan", form=LabelFormat.rtstruct)
    around = truth.with_array(np.full_like(truth.array, 1), {1: "body"})
    write_labels(tmp_path / "body.dcm", around, source=tmp_path / "scan", form=LabelFormat.rtstruct)
    whole, organs = (pydicom.dcmread(tmp_path / f"{name}.dcm") for name in ("body", "organs"))
    whole.StructureSetROISequence.extend(organs.StructureSetROISequence)
    whole.ROIContourSequence.extend(organs.ROIContourSequence)
    whole.save_as(tmp_path / "body.dcm")
    return tmp_path / "body.dcm"


def test_regions_that_overlap_are_compared(body: Path, tmp_path: Path) -> None:
    all_three = {"body": 0, "liver": 1, "spleen": 1}
    assert dsc(body, tmp_path / "truth.nii.gz") == dsc(tmp_path / "truth.nii.gz", body) == all_three
    assert dsc(body, body, "--scans", tmp_path / "scan") == {"body": 1, "liver": 1, "spleen": 1}
    assert dsc(tmp_path / "organs.dcm", body, "--scans", tmp_path / "scan") == all_three
    report = tmp_path / "report"
    assert dsc(body, tmp_path / "organs.dcm", "--scans", tmp_path / "scan", "--report", report) == all_three
    assert (report / "evaluation.html").stat().st_size > 10_000
    assert "give the scan too, with --scans" in refused("evaluate", body, body)
    assert "with DICOM files of labels" in refused(
        "evaluate", tmp_path / "truth.nii.gz", tmp_path / "truth.nii.gz", "--scans", tmp_path / "scan"
    )


def test_info_lists_every_region(body: Path, truth: Volume, tmp_path: Path) -> None:
    listed = json.loads(ivos("info", body, "--json").stdout)
    assert listed["kind"] == "RT Structure Set"
    assert [(row["label"], row["name"], row["volume_ml"]) for row in listed["labels"]] == [
        (1, "body", None),
        (3, "liver", None),
        (8, "spleen", None),
    ]
    found = json.loads(ivos("info", body, "--scan", tmp_path / "scan", "--json").stdout)
    assert found["structures_overlap"] is True
    voxel_ml = truth.geometry.voxel_volume_ml
    assert [row["volume_ml"] for row in found["labels"]] == pytest.approx(
        [truth.array.size * voxel_ml, *((truth.array == k).sum() * voxel_ml for k in (3, 8))]
    )
    assert "goes with RTSTRUCT" in refused("info", tmp_path / "truth.nii.gz", "--scan", tmp_path / "scan")
    one_slice = np.zeros_like(truth.array)
    one_slice[4] = truth.array[4]
    write_labels(tmp_path / "one.dcm", truth.with_array(one_slice, truth.names), source=tmp_path / "scan")
    seen = json.loads(ivos("info", tmp_path / "one.dcm", "--json").stdout)
    assert [(row["name"], row["slices"], row["volume_ml"]) for row in seen["labels"]] == [
        ("liver", 1, None),
        ("spleen", 1, None),
    ]


def test_info_tells_labels_from_scans(tmp_path: Path) -> None:
    scan, labels = moving_discs(size=32)
    noise = np.random.default_rng(0).integers(0, 251, scan.array.shape).astype(np.uint8)
    package.write(tmp_path / "scan.nii.gz", scan.with_array(noise))
    package.write(tmp_path / "ids.nii.gz", labels.with_array(labels.array.astype(np.uint16) * 1001))
    assert json.loads(ivos("info", tmp_path / "scan.nii.gz", "--json").stdout)["labels"] == []
    found = json.loads(ivos("info", tmp_path / "ids.nii.gz", "--json").stdout)["labels"]
    assert [row["label"] for row in found] == [3003, 8008]


def test_compare_refuses_other_settings(truth: Volume, tmp_path: Path) -> None:
    package.write(tmp_path / "true" / "a.nii.gz", truth)
    for name, options in {"one": ("--tolerance", 1), "five": ("--tolerance", 5), "again": ("--tolerance", 1)}.items():
        done = ivos("evaluate", tmp_path / "true", tmp_path / "true", *options, "--csv", tmp_path / f"{name}.csv")
        assert done.returncode == 0, done.stderr
    line = refused("compare", tmp_path / "one.csv", tmp_path / "five.csv")
    assert "a tolerance of 1 mm in one and 5 mm in five" in line
    assert "NSD at 1 mm" in ivos("compare", tmp_path / "one.csv", tmp_path / "again.csv").stdout
