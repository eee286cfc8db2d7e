"""`ivos prepare`: what goes in comes out, what cannot be used is named, and nothing is done twice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import ivos as package
from ivos.training.data.prepare import load_manifest, prepare
from ivos.training.data.store import UNKNOWN, StoredScan
from ivos.volume.volume import Volume
from ivos.volume.windows import channels, windows_for
from tests.cli.runner import ivos, refused
from tests.propagation.scenes import moving_discs

NAMES = {3: "bright", 8: "grey"}


def _raw(folder: Path, labelled: int = 4, unlabelled: int = 2) -> Path:
    for number in range(labelled + unlabelled):
        scan, labels = moving_discs(slices=5, size=24, seed=number)
        package.write(folder / "images" / f"case_{number}_0000.nii.gz", scan)
        if number < labelled:
            package.write(folder / "labels" / f"case_{number}.nii.gz", labels.with_array(labels.array, NAMES))
    return folder


def _states(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (folder / "scans").iterdir()}


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    raw, out = _raw(tmp_path / "raw"), tmp_path / "out"
    done = ivos("prepare", raw, "-o", out, "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert "6 cases, 4 of them labelled" in done.stdout
    manifest = load_manifest(out)
    assert manifest.names == NAMES
    assert [case.fold is not None for case in manifest.cases] == [True] * 4 + [False] * 2
    scan, labels = moving_discs(slices=5, size=24, seed=1)
    stored = StoredScan(out / manifest.cases[1].file)
    np.testing.assert_array_equal(stored.scan().array, scan.array)
    np.testing.assert_array_equal(stored.labels().array, labels.array)
    image, drawn = stored.slice(3)
    np.testing.assert_array_equal(image, channels(scan.array[3], windows_for(scan)))
    np.testing.assert_array_equal(drawn, labels.array[3])
    assert stored.info.volumes_ml == pytest.approx({k: (labels.array == k).sum() * 0.002 for k in (3, 8)})
    assert len(stored) == 5
    assert StoredScan(out / manifest.cases[5].file).slice(0)[1] is None
    page = (out / "cohort.html").read_text()
    assert "6 cases, 4 of them labelled" in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_a_second_run_does_nothing_and_a_changed_scan_is_prepared_again(tmp_path: Path) -> None:
    raw, out = _raw(tmp_path / "raw", 3, 1), tmp_path / "out"
    assert ivos("prepare", raw, "-o", out, "--workers", 1).returncode == 0
    before, manifest = _states(out), (out / "manifest.json").stat().st_mtime_ns
    assert ivos("prepare", raw, "-o", out, "--workers", 1).returncode == 0
    assert _states(out) == before
    assert (out / "manifest.json").stat().st_mtime_ns == manifest
    package.write(raw / "images" / "case_1_0000.nii.gz", moving_discs(slices=5, size=24, seed=77)[0])
    damaged = out / "scans" / "case_2.b2nd"
    damaged.write_bytes(damaged.read_bytes()[:200])
    assert ivos("prepare", raw, "-o", out, "--workers", 1).returncode == 0
    changed = [name for name, state in _states(out).items() if state != before[name]]
    assert sorted(changed) == ["case_1.b2nd", "case_2.b2nd"]


def test_what_cannot_be_used_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    raw = _raw(tmp_path / "raw", 6, 0)
    (raw / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "disc": 3, "other": 8}}))
    _, labels = moving_discs(slices=5, size=24)
    package.write(raw / "labels" / "case_0.nii.gz", labels.with_array(np.zeros_like(labels.array)))
    package.write(raw / "labels" / "case_1.nii.gz", moving_discs(slices=6, size=24)[1])
    package.write(raw / "labels" / "case_2.nii.gz", labels.with_array(labels.array * np.uint8(2)))
    scan = raw / "images" / "case_3_0000.nii.gz"
    scan.write_bytes(scan.read_bytes()[:300])
    done = ivos("prepare", raw, "-o", tmp_path / "out", "--workers", 1, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["cases"] == 2
    reasons = {entry["case"]: entry["reason"] for entry in told["refused"]}
    assert sorted(reasons) == ["case_0", "case_1", "case_2", "case_3"]
    assert "no voxel is labelled" in reasons["case_0"]
    assert "not on the scan's grid" in reasons["case_1"]
    assert "not among those" in reasons["case_2"]
    assert "case_3" in (tmp_path / "out" / "refused.csv").read_text()
    assert load_manifest(tmp_path / "out").names == {3: "disc", 8: "other"}


def test_the_split_goes_by_patient_and_repeats(tmp_path: Path) -> None:
    raw = _raw(tmp_path / "raw", 8, 0)
    rows = "\n".join(f"case_{n},patient_{n // 2}" for n in range(8))
    (tmp_path / "patients.csv").write_text(f"case,patient\n{rows}\n")
    options = ("--patients", tmp_path / "patients.csv", "--folds", 3, "--test-share", 0.25, "--workers", 1)
    splits = []
    for out in (tmp_path / "a", tmp_path / "b"):
        assert ivos("prepare", raw, "-o", out, *options).returncode == 0
        cases = load_manifest(out).cases
        splits.append([(case.split, case.fold) for case in cases])
        for first, second in zip(cases[::2], cases[1::2], strict=True):
            assert (first.patient, first.split, first.fold) == (second.patient, second.split, second.fold)
    assert splits[0] == splits[1]
    assert sorted(split for split, _ in splits[0]) == ["test"] * 2 + ["train"] * 6


def test_mr_intensities_look_the_same_from_the_store(tmp_path: Path) -> None:
    scan, labels = moving_discs(slices=5, size=24)
    mr = Volume.from_array(scan.array * np.float32(0.013) + np.float32(7), scan.geometry, modality="MR")
    package.write(tmp_path / "raw" / "images" / "a.nrrd", mr)
    package.write(tmp_path / "raw" / "labels" / "a.nrrd", labels)
    assert ivos("prepare", tmp_path / "raw", "-o", tmp_path / "out", "--workers", 1).returncode == 0
    read = package.read(tmp_path / "raw" / "images" / "a.nrrd")
    stored = StoredScan(tmp_path / "out" / "scans" / "a.b2nd")
    np.testing.assert_allclose(stored.slice(2)[0], channels(read.array[2], windows_for(read)), atol=2e-3)


def test_bad_settings(tmp_path: Path) -> None:
    assert "no such folder" in refused("prepare", tmp_path / "nowhere", "-o", tmp_path / "out")
    assert "--folds 1" in refused("prepare", tmp_path, "-o", tmp_path / "out", "--folds", 1)
    assert "--test-share 1" in refused("prepare", tmp_path, "-o", tmp_path / "out", "--test-share", 1)
    bad = tmp_path / "patients.csv"
    bad.write_text("a,b\n1,2\n")
    raw = _raw(tmp_path / "raw", 1, 0)
    assert "'patient'" in refused("prepare", raw, "-o", tmp_path / "out", "--patients", bad, "--workers", 1)


def test_what_is_named_ignore_is_no_structure_whichever_id_it_has(tmp_path: Path) -> None:
    raw, out = _raw(tmp_path / "raw", 1, 0), tmp_path / "out"
    prepare(raw, out)
    assert load_manifest(out).names == NAMES
    (raw / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "bright": 3, "ignore": 8}}))
    _, labels = moving_discs(slices=5, size=24)
    package.write(raw / "labels" / "case_0.nii.gz", labels)
    manifest = prepare(raw, out)
    assert manifest.names == {3: "bright"}
    assert not manifest.refused
    stored = StoredScan(out / manifest.cases[0].file)
    np.testing.assert_array_equal(stored.labels().array, np.where(labels.array == 8, UNKNOWN, labels.array.astype(int)))
    assert list(stored.info.runs) == [3]


def test_signed_mr_keeps_its_windows_in_the_store_and_modality_decides_them(tmp_path: Path) -> None:
    scan, labels = moving_discs(slices=5, size=24)
    scored = (scan.array - scan.array.mean()) / scan.array.std()
    package.write(tmp_path / "raw" / "images" / "a.nrrd", scan.with_array(scored.astype(np.float32)))
    package.write(tmp_path / "raw" / "labels" / "a.nrrd", labels)
    prepare(tmp_path / "raw", tmp_path / "out")
    stored = StoredScan(tmp_path / "out" / "scans" / "a.b2nd")
    assert stored.info.seen_as == "mr"
    assert stored.scan().array.min() < -1000  # as it is stored, which must not be taken for HU
    np.testing.assert_allclose(windows_for(stored.scan()), stored.info.windows, atol=20)
    prepare(tmp_path / "raw", tmp_path / "out", modality="ct")
    stored = StoredScan(tmp_path / "out" / "scans" / "a.b2nd")
    assert (stored.info.seen_as, stored.scan().modality) == ("ct", "CT")
