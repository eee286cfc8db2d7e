"""`ivos pseudo-label` as a user runs it: labels, manifest, page, faults, and training on what it writes."""

from __future__ import annotations

import base64
import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import ivos as package
from ivos.config import load_settings
from ivos.io.probabilities import write_probabilities
from ivos.nets.reference_file import load_reference
from ivos.report.review_pictures import PICTURED, ReviewPicture, WorstPictures
from ivos.training.data.prepare import prepare
from ivos.training.data.store import StoredScan
from ivos.training.reference.settings import ReferenceSettings
from ivos.training.reference.train import train_reference, volume_dsc
from ivos.volume.labels import IGNORE
from tests.cli.runner import ivos, refused
from tests.propagation.scenes import moving_discs

SCAN, TRUTH = moving_discs()
NAMES = {3: "ball", 8: "disc"}


@pytest.fixture
def predictions(tmp_path: Path) -> list[Path]:
    """Three predictions of three cases, and the scans: all agree on a, the second lacks the disc of b and all of c."""
    folders = [tmp_path / name for name in ("first", "second", "third")]
    lacking: dict[str, list[int]] = {"a": [], "b": [8], "c": [3, 8]}
    for case, lacks in lacking.items():
        for number, folder in enumerate(folders):
            array = np.where(np.isin(TRUTH.array, lacks if number == 1 else []), 0, TRUTH.array)
            package.write(folder / f"{case}.nii.gz", TRUTH.with_array(array, NAMES))
        package.write(tmp_path / "images" / f"{case}_0000.nii.gz", SCAN)
    return folders


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


def labels_in(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.nii.gz")}


def test_labels_manifest_and_page(predictions: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = ivos("pseudo-label", *predictions, "-o", out, "--scans", tmp_path / "images")
    assert done.returncode == 0, done
    told = done.stdout.splitlines()
    assert told == [f"2 of 3 scans accepted: {out / 'review.html'}", "left out: c: no structure accepted: ball, disc"]
    assert labels_in(out) == {"a.nii.gz", "b.nii.gz"}
    whole, open_ = (package.read_labels(out / f"{case}.nii.gz") for case in "ab")
    np.testing.assert_array_equal(whole.array, TRUTH.array)
    assert whole.names == NAMES
    np.testing.assert_array_equal(open_.array, np.where(TRUTH.array == 8, IGNORE, TRUTH.array))
    assert open_.names == {**NAMES, IGNORE: "ignore"}

    written = manifest(out)
    assert written["labels"] == ["a", "b"]
    assert [(case["case"], case["accepted"]) for case in written["cases"]] == [("b", True), ("c", False), ("a", True)]
    disc = written["cases"][0]["structures"][1]
    assert (disc["name"], disc["trusted"], disc["predictions"]) == ("disc", False, 2)
    assert disc["trust"] == disc["dsc"] == pytest.approx(2 / 3)

    page = (out / "review.html").read_text()
    assert "http" not in page
    assert page.index("<td>b</td>") < page.index("<td>c</td>") < page.index("<td>a</td>")
    assert 'title="disc: left open; mean DSC with the consensus 0.667, threshold 0.85; in 2 of 3 predictions"' in page
    pictures = re.findall(r"data:image/jpeg;base64,([^\"]+)", page)
    assert len(pictures) == 3
    picture: Any = cv2.imdecode(np.frombuffer(base64.b64decode(pictures[0]), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape[1] == 4 * 260 + 3 * 4  # the consensus and three predictions
    tiles = [picture[:, n * 264 : n * 264 + 260].astype(int) for n in range(4)]
    assert np.abs(tiles[0] - tiles[1]).mean() < 1  # the first agrees with the consensus
    assert np.abs(tiles[0] - tiles[2]).mean() > 2  # the second lacks the disc
    assert f"consensus, {predictions[0]}, {predictions[1]}" in page

    package.write(out / "mine.nii.gz", TRUTH)
    assert ivos("pseudo-label", *predictions, "-o", out, "--accept", "per-scan").returncode == 0
    assert labels_in(out) == {"a.nii.gz", "mine.nii.gz"}  # b is no longer accepted; mine is not the command's
    assert manifest(out)["labels"] == ["a"]


@pytest.mark.slow
def test_over_processes_all_is_the_same_and_a_run_goes_on(predictions: list[Path], tmp_path: Path) -> None:
    one, several = tmp_path / "1" / "out", tmp_path / "2" / "out"
    words = ("pseudo-label", *predictions, "--scans", tmp_path / "images", "-o")
    alone, done = ivos(*words, one), ivos(*words, several, "--workers", 2)
    assert done.returncode == 0, done.stderr
    assert done.stdout == alone.stdout.replace(str(one), str(several))
    for name in ("manifest.json", "review.html"):
        assert (several / name).read_bytes() == (one / name).read_bytes()
    for case in "ab":
        labels = [package.read_labels(folder / f"{case}.nii.gz") for folder in (one, several)]
        np.testing.assert_array_equal(labels[0].array, labels[1].array)

    written = (several / "b.nii.gz").stat().st_mtime_ns
    (several / "a.nii.gz").unlink()
    assert ivos(*words, several).stdout == done.stdout
    assert (several / "b.nii.gz").stat().st_mtime_ns == written
    assert labels_in(several) == {"a.nii.gz", "b.nii.gz"}
    assert (several / "review.html").read_bytes() == (one / "review.html").read_bytes()


def test_the_worst_cases_have_pictures() -> None:
    pictures, painted = WorstPictures(), set()

    def paint(case: str) -> ReviewPicture:
        painted.add(case)
        return ReviewPicture(case, "")

    for number in range(60):
        trust = (7 * number % 60) / 60
        pictures.add(str(number), (trust, ""), partial(paint, str(number)))
    assert {7 * int(case) % 60 for case in pictures.kept} == set(range(PICTURED))
    assert all(picture.address == case for case, picture in pictures.kept.items())
    assert len(painted) < 60


def test_one_broken_case_keeps_no_other_from_being_judged(predictions: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert ivos("pseudo-label", *predictions, "-o", out, "--rule", "all").returncode == 0
    assert labels_in(out) == {"a.nii.gz", "b.nii.gz", "c.nii.gz"}
    path = predictions[1] / "b.nii.gz"
    path.write_bytes(path.read_bytes()[:-40])
    done = ivos("pseudo-label", *predictions, "-o", out)
    assert done.returncode == 1
    assert done.stderr.startswith(f"ivos: b: {path}: truncated")
    assert labels_in(out) == {"a.nii.gz"}
    assert [case["case"] for case in manifest(out)["cases"]] == ["c", "a"]


def test_change_since_the_previous_round(predictions: list[Path], tmp_path: Path) -> None:
    first, second, _ = predictions
    (second / "c.nii.gz").unlink()
    done = ivos("pseudo-label", first, "-o", tmp_path / "out", "--rule", "change", "--previous", second)
    assert done.returncode == 0, done
    assert labels_in(tmp_path / "out") == {"a.nii.gz"}
    reasons = {case["case"]: case["reason"] for case in manifest(tmp_path / "out")["cases"]}
    assert reasons["b"].startswith("score 0.")
    assert reasons["c"] == "no previous round to compare with"
    lost = ivos(
        *("pseudo-label", second, "-o", tmp_path / "lost", "--rule", "change", "--previous", first),
        *("--threshold", 0, "--scans", tmp_path / "images"),
    )
    assert lost.returncode == 0, lost
    assert "accepted, but review it: b: score 0." in lost.stdout
    assert "gone since the previous round: disc" in lost.stdout
    worst = manifest(tmp_path / "lost")["cases"][0]
    assert (worst["case"], worst["change"]) == ("b", {"most": "disc", "dsc": 0.0, "vanished": {"8": "disc"}})
    assert "Gone since the previous round: disc in b." in (tmp_path / "lost" / "review.html").read_text()


def test_what_is_named_ignore_is_no_structure(predictions: list[Path], tmp_path: Path) -> None:
    first, second, third = predictions
    array = np.where(TRUTH.array == 8, 9, TRUTH.array)
    package.write(second / "a.nii.gz", TRUTH.with_array(array, {3: "ball", 9: "ignore"}))
    command = ("pseudo-label", first, "-o", tmp_path / "out", "--rule", "change", "--previous", second)
    assert ivos(*command).returncode == 0
    structures = manifest(tmp_path / "out")["cases"]
    a = next(case for case in structures if case["case"] == "a")
    assert [(s["structure"], s["previous_dsc"]) for s in a["structures"]] == [(3, 1.0), (8, None)]  # 9 says nothing
    package.write(third / "a.nii.gz", TRUTH.with_array(array))
    (third / "dataset.json").write_text('{"labels": {"background": 0, "all": [3, 8], "ignore": 9}}')
    done = ivos("pseudo-label", first, third, "-o", tmp_path / "two")
    assert done.returncode == 1
    assert "ivos: a: prediction 2 has label 255, 'ignore', which is not a structure" in done.stderr


def test_by_mean_probability(predictions: list[Path], tmp_path: Path) -> None:
    for folder, sure in zip(predictions, (255, 120, 120), strict=True):
        for case in "abc":
            maps = ((k, NAMES[k], np.where(TRUTH.array == k, np.uint8(sure), np.uint8(0))) for k in NAMES)
            write_probabilities(folder, case, TRUTH, maps)
    out = tmp_path / "out"
    command = ("pseudo-label", *predictions, "-o", out, "--consensus", "mean-probability", "--rule", "ivos")
    assert ivos(*command, "--threshold", 0.6).returncode == 0
    np.testing.assert_array_equal(package.read_labels(out / "c.nii.gz").array, TRUTH.array)


@pytest.mark.filterwarnings("ignore")  # Lightning's own
def test_training_on_what_it_writes(predictions: list[Path], tmp_path: Path) -> None:
    assert ivos("pseudo-label", *predictions, "-o", tmp_path / "raw" / "labels").returncode == 0
    (tmp_path / "images").rename(tmp_path / "raw" / "images")
    package.write(tmp_path / "raw" / "images" / "d_0000.nii.gz", SCAN)
    open_ = package.read_labels(tmp_path / "raw" / "labels" / "b.nii.gz").array
    package.write(
        tmp_path / "raw" / "labels" / "c.nii.gz", TRUTH.with_array(np.where(open_ > 0, IGNORE, 0), {IGNORE: "ignore"})
    )
    package.write(tmp_path / "raw" / "labels" / "d.nii.gz", TRUTH.with_array(np.where(open_ > 0, 7, 0), {7: "ignore"}))
    prepared = prepare(tmp_path / "raw", tmp_path / "prepared", folds=2)
    assert prepared.names == NAMES
    reasons = [refusal.reason for refusal in prepared.refused]
    assert "no voxel is labelled" in reasons[0]
    assert "no voxel is labelled" in reasons[1]
    assert sum(case.info.labelled for case in prepared.cases) == 2
    recipe = Path(__file__).parents[2] / "configs" / "laptop" / "reference" / "supervised.yaml"
    small = ("data.size=32", "data.workers=0", "data.batch=2", "steps=2", "validate_every=2", "data.fold=null")
    given: list[str | Path] = [recipe, f"data.scans={tmp_path / 'prepared'}", *small, "loss.class_balanced=true"]
    paths = train_reference(load_settings(ReferenceSettings, given), tmp_path / "run")
    info = load_reference(paths[0])[1]
    assert info.names == NAMES
    scan = StoredScan(tmp_path / "prepared" / "scans" / "b.b2nd")
    assert volume_dsc(TRUTH.array, scan, info)[0] == 1
    assert np.isnan(volume_dsc(TRUTH.array, scan, info)[1])  # of the disc nothing is known


def test_what_cannot_be_judged_is_refused(predictions: list[Path], tmp_path: Path) -> None:
    first, second, third = predictions
    out = ("-o", tmp_path / "out")
    assert "give two or more" in refused("pseudo-label", first, *out)
    assert "takes everything" in refused("pseudo-label", first, *out, "--rule", "all", "--threshold", 0.5)
    assert "go together" in refused("pseudo-label", first, second, *out, "--rule", "change")
    assert "go together" in refused("pseudo-label", first, second, *out, "--previous", third)
    assert "is given twice" in refused("pseudo-label", first, second, first, *out)
    change = ("pseudo-label", first, "--rule", "change", "--previous")
    assert "is an input" in refused(*change, second, "-o", second)
    other = tmp_path / "other" / "d.nii.gz"
    package.write(other, TRUTH)
    assert "no labels of any of the 3 cases: a, b, c" in refused(*change, other.parent, *out)
    package.write(tmp_path / "other" / "x.nii.gz", SCAN)
    assert "no scan for 3 of 3 cases" in refused("pseudo-label", first, second, *out, "--scans", tmp_path / "other")
    assert not (tmp_path / "out").exists()
    package.write(tmp_path / "out" / "b.nii.gz", TRUTH)
    assert "b.nii.gz: is there and not of this command" in refused("pseudo-label", first, second, *out)
    (tmp_path / "out" / "manifest.json").write_text("{}")
    assert "not of 'ivos pseudo-label'" in refused("pseudo-label", first, second, *out)
    assert labels_in(tmp_path / "out") == {"b.nii.gz"}
