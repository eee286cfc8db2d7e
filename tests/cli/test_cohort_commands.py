"""Commands over cohorts, as a user runs them."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import ivos as package
from tests.cli.runner import ivos, refused
from tests.propagation.scenes import moving_discs


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of scans, one of annotations, and a list of them with one scan more, which is broken."""
    folder = tmp_path_factory.mktemp("cohort")
    entries = []
    for seed in range(3):
        scan, labels = moving_discs(slices=6, seed=seed)
        drawn = labels.array.copy()
        drawn[[n for n in range(6) if n not in (0, 3)]] = 0
        package.write(folder / "scans" / f"case{seed}_0000.nii.gz", scan)
        package.write(folder / "drawn" / f"case{seed}.nii.gz", labels.with_array(drawn, labels.names))
        entries.append((f"listed{seed}", f"scans/case{seed}_0000.nii.gz", f"drawn/case{seed}.nii.gz"))
    (folder / "broken.nii.gz").write_bytes(b"broken")
    with (folder / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("case", "scan", "annotations"), *entries, ("bad", "broken.nii.gz", "drawn/case0.nii.gz")]
        )
    return folder


@pytest.mark.slow
def test_a_folder_over_processes_gives_what_single_scans_give(scans: Path, tmp_path: Path) -> None:
    words = ("--engine", "nearest", "--annotations", scans / "drawn")
    done = ivos("propagate", scans / "scans", "-o", tmp_path / "out", *words, "--workers", 2)
    assert done.returncode == 0, done.stderr
    assert "3 of 3 scans propagated" in done.stdout
    one = tmp_path / "one.nii.gz"
    alone = ("--engine", "nearest", "--annotations", scans / "drawn" / "case1.nii.gz")
    assert ivos("propagate", scans / "scans" / "case1_0000.nii.gz", "-o", one, *alone).returncode == 0
    several = package.read_labels(tmp_path / "out" / "case1.nii.gz")
    np.testing.assert_array_equal(several.array, package.read_labels(one).array)
    assert "3 done, 0 failed" in (tmp_path / "out" / "cohort.html").read_text()
    assert "axis null, now axial; give another folder" in refused(
        "propagate", scans / "scans", "-o", tmp_path / "out", *words, "--axis", "axial"
    )


def test_a_list_with_a_broken_scan(scans: Path, tmp_path: Path) -> None:
    words = ("propagate", scans / "list.csv", "-o", tmp_path / "out", "--engine", "nearest", "--json")
    first, second = ivos(*words), ivos(*words)
    for done in (first, second):
        assert done.returncode == 1
        told = json.loads(done.stdout)
        assert [entry["case"] for entry in told] == ["listed0", "listed1", "listed2"]
        assert told[0]["annotated_slices"] == [0, 3]
        assert "3 of 4 done; 1 failed: bad" in done.stderr
    assert first.stdout == second.stdout  # nothing was done anew: the seconds are those of the first run
    assert "ivos: bad: scan: " in first.stderr
    assert [Path(entry["scan"]) for entry in told] == [scans / f"scans/case{n}_0000.nii.gz" for n in range(3)]
    assert str(scans) not in first.stderr  # places may name the patient
    for path in (tmp_path / "out").glob("cohort.*"):
        assert str(scans).encode() not in path.read_bytes()


def test_files_go_to_an_address_and_the_manifest_stays(scans: Path, tmp_path: Path) -> None:
    words = (
        "--annotations",
        scans / "drawn",
        "--engine",
        "nearest",
        "--upload-to",
        f"file://{tmp_path}/store",
        "--json",
    )
    for _ in range(2):
        done = ivos("propagate", scans / "scans", "-o", tmp_path / "out", *words)
        assert done.returncode == 0, done.stderr
        places = [entry["output"] for entry in json.loads(done.stdout)]
        assert places == [f"file://{tmp_path}/store/case{n}.nii.gz" for n in range(3)]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"cohort.html", "cohort.sqlite"}
    assert package.read_labels(tmp_path / "store" / "case2.nii.gz").array.any()


def test_no_label_file_takes_the_place_of_a_scan(scans: Path, tmp_path: Path) -> None:
    for number in range(2):
        shutil.copy(scans / "scans" / f"case{number}_0000.nii.gz", tmp_path / f"case{number}.nii.gz")
    scan = (tmp_path / "case1.nii.gz").read_bytes()
    told = f"case,scan,annotations\n1,case1.nii.gz,{scans}/drawn/case1.nii.gz\n"
    (tmp_path / "list.csv").write_text(told + f"case1,case0.nii.gz,{scans}/drawn/case0.nii.gz\n")
    words = ("propagate", tmp_path / "list.csv", "--engine", "nearest", "-o")
    for place in ((tmp_path,), (tmp_path / "out", "--upload-to", f"file://{tmp_path}/")):
        assert "case1.nii.gz: is an input of this command; give another folder" in refused(*words, *place)
    assert (tmp_path / "case1.nii.gz").read_bytes() == scan
    assert not (tmp_path / "out").exists()
    assert "is an input" in refused(
        "ensemble", scans / "drawn", tmp_path, "-o", scans / "scans", "--scans", scans / "scans"
    )


def test_no_name_of_a_file_at_an_address_is_told(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "DOE JOHN.nii.gz").write_bytes(b"broken")
    (tmp_path / "list.csv").write_text(
        f"case,scan,annotations\na,file://{tmp_path}/DOE JOHN.nii.gz,{scans}/drawn/case0.nii.gz\n"
        f"b,simplecache::file://{tmp_path}/DOE JOHN.nii.gz,{scans}/drawn/case0.nii.gz\n"
    )
    done = ivos("propagate", tmp_path / "list.csv", "-o", tmp_path / "out", "--engine", "nearest")
    assert "ivos: a: scan: not an image" in done.stderr
    assert "ivos: b: scan: not an image" in done.stderr
    assert "DOE" not in done.stderr + (tmp_path / "out" / "cohort.html").read_text()


def test_what_does_not_go_together(scans: Path, tmp_path: Path) -> None:
    one, out = scans / "scans" / "case0_0000.nii.gz", tmp_path / "x.nii.gz"
    drawn = ("--annotations", scans / "drawn" / "case0.nii.gz")
    assert "nowhere: no such file or folder" in refused("propagate", "nowhere", "-o", out, *drawn)
    assert "leave them out for one" in refused("propagate", one, "-o", out, *drawn, "--workers", 2)
    assert "give the annotated slices with --annotations FILE" in refused("propagate", one, "-o", out)
    assert "with --annotations FOLDER" in refused("propagate", scans / "scans", "-o", tmp_path / "out")
    words = ("propagate", scans / "scans", "--annotations", scans / "drawn")
    assert "give another folder" in refused(*words, "-o", scans / "drawn")
    assert "and the URL with --upload-to" in refused(*words, "-o", "s3://bucket/out")
    assert "came as DICOM" in refused(*words, "-o", tmp_path / "out", "--format", "dicom-seg")
    assert "--series-thickness thin: give a range" in refused(*words, "-o", out.parent, "--series-thickness", "thin")
