"""`ivos segment`, as a user runs it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

import ivos as package
from ivos.nets.reference_file import ReferenceInfo, save_reference
from ivos.segmentation.segmenter import Segmenter
from ivos.segmentation.settings import SegmentationSettings
from ivos.types import Axis
from tests.cli.runner import ivos, refused
from tests.propagation.scenes import moving_discs

NAMES = {3: "bright", 8: "grey"}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scans, and two networks that were never trained: what they find is noise, and the same every time."""
    folder = tmp_path_factory.mktemp("segment")
    (folder / "scans").mkdir()
    for seed in range(2):
        scan, _ = moving_discs(seed=seed)
        package.write(folder / "scans" / f"case{seed}_0000.nii.gz", scan)
    info = ReferenceInfo(network="small", structures=(3, 8), names=NAMES, size=64, neighbours=0)
    for seed, name in enumerate(("one", "two")):
        torch.manual_seed(seed)
        save_reference(info.made(), info, folder / f"{name}.safetensors")
    return folder


@pytest.mark.slow
def test_a_scan_becomes_the_labels_that_python_gives_with_all_that_is_asked_for(scene: Path, tmp_path: Path) -> None:
    scan, out = scene / "scans" / "case0_0000.nii.gz", tmp_path / "deep" / "labels.nii.gz"
    weights = (scene / "one.safetensors", scene / "two.safetensors")
    done = ivos(
        "segment", scan, "-o", out, *(word for path in weights for word in ("--reference", path)),
        "--probabilities", "8", "--uncertainty", "--profile", "--report", tmp_path / "report", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)[0]
    result = Segmenter(SegmentationSettings(reference=weights))(package.read(scan), probabilities=(8,))
    written = sitk.ReadImage(str(out))
    assert written.GetDirection() == sitk.ReadImage(str(scan)).GetDirection()
    labels = package.read_labels(out)
    np.testing.assert_array_equal(labels.array, result.labels.array)
    assert labels.names == NAMES
    assert told["reference_slices"] == sorted(result.labels.source_index(Axis.AXIAL, n) for n in result.references)
    probability = package.read(out.parent / "probabilities" / "labels" / "8_grey.nii.gz")
    np.testing.assert_array_equal(probability.array, result.probabilities[8])
    doubt = package.read(out.parent / "uncertainty" / "labels.nii.gz")
    np.testing.assert_array_equal(doubt.array, 255 - result.confidence.array)
    with (out.parent / "efficiency.csv").open() as file:
        assert [row["case"] for row in csv.DictReader(file)] == ["labels"]
    page = (tmp_path / "report" / "report.html").read_text()
    assert f"from {len(result.references)} reference." in page


def test_of_a_folder_one_broken_scan_is_named_and_the_others_are_done(scene: Path, tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    for path in (scene / "scans").iterdir():
        (scans / path.name).write_bytes(path.read_bytes())
    (scans / "broken_0000.nii.gz").write_bytes((scans / "case0_0000.nii.gz").read_bytes()[:5000])
    words = (
        "segment",
        scans,
        "-o",
        tmp_path / "out",
        "--reference",
        scene / "one.safetensors",
        "--propagation",
        "none",
    )
    done = ivos(*words, "--profile")
    assert done.returncode == 1
    with (tmp_path / "out" / "efficiency.csv").open() as file:
        assert [row["case"] for row in csv.DictReader(file)] == ["case0", "case1"]
    assert "leave --workers and --cluster out" in refused(*words, "--profile", "--workers", "2")
    assert {path.name for path in (tmp_path / "out").glob("*.nii.gz")} == {"case0.nii.gz", "case1.nii.gz"}
    assert "broken: " in done.stderr
    assert "2 of 3 done; 1 failed: broken" in done.stderr
    before = (tmp_path / "out" / "case0.nii.gz").stat().st_mtime_ns
    (scans / "broken_0000.nii.gz").write_bytes((scans / "case0_0000.nii.gz").read_bytes())
    done = ivos(*words)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "broken.nii.gz").exists()
    assert (tmp_path / "out" / "case0.nii.gz").stat().st_mtime_ns == before
    page = (tmp_path / "out" / "cohort.html").read_text()
    assert "3 cases, 3 done, 0 failed" in page
    line = refused(*words, "--tta-mirror")
    assert "mirrored false, now true; give another folder, or --overwrite" in line


@pytest.mark.slow
def test_how_far_to_trust_is_learned_and_told(scene: Path, tmp_path: Path) -> None:
    for seed in range(10):
        scan, labels = moving_discs(slices=6, seed=seed)
        package.write(tmp_path / "scans" / f"case{seed}_0000.nii.gz", scan)
        package.write(tmp_path / "truth" / f"case{seed}.nii.gz", labels)
    words = (
        "--reference",
        scene / "one.safetensors",
        "--reference",
        scene / "two.safetensors",
        "--propagation",
        "none",
    )
    assert ivos("segment", tmp_path / "scans", "-o", tmp_path / "out", *words, "--quality-features").returncode == 0
    trust = tmp_path / "trust.json"
    done = ivos("fit-quality", tmp_path / "out", tmp_path / "truth", "-o", trust, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["scans"] == 10
    first = tmp_path / "scans" / "case0_0000.nii.gz"
    done = ivos("segment", first, "-o", tmp_path / "labels.nii.gz", *words, "--quality-model", trust, "--json")
    assert done.returncode == 0, done.stderr
    for row in json.loads(done.stdout)[0]["structures"]:
        estimate = row["estimated_dsc"]
        assert 0 < estimate["low"] <= estimate["dsc"] <= estimate["high"] < 1
    line = refused("segment", first, "-o", tmp_path / "x.nii.gz", *words, "--tta-mirror", "--quality-model", trust)
    assert "run ivos fit-quality again" in line
    assert "no quality features" in refused("fit-quality", tmp_path / "truth", tmp_path / "truth", "-o", trust)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--reference", "missing.safetensors"), "missing.safetensors: no such checkpoint file"),
        (("--ensemble", "second"), "add another --reference"),
        (("--fill-holes", "5"), "label 5: the reference network has 3, 8"),
        (("--probabilities", "x"), "'x': give whole numbers"),
        (("--propagation", "nothing.pt"), "nothing.pt: no such checkpoint file"),
    ],
)
def test_what_cannot_be_asked_for(scene: Path, tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    scan, out = scene / "scans" / "case0_0000.nii.gz", tmp_path / "labels.nii.gz"
    line = refused("segment", scan, "-o", out, "--reference", scene / "one.safetensors", *words)
    assert told in line
    assert not out.exists()


def test_a_scan_is_not_overwritten_by_its_labels(scene: Path) -> None:
    weights = ("--reference", scene / "one.safetensors")
    for folder in (scene / "scans", scene / "labels.nii.gz"):
        assert "give another folder" in refused("segment", scene / "scans", "-o", folder, *weights)
    scan = scene / "scans" / "case0_0000.nii.gz"
    assert "is an input" in refused("segment", scan, "-o", scan, *weights)


def test_networks_for_other_structures_do_not_answer_together(scene: Path, tmp_path: Path) -> None:
    info = ReferenceInfo(network="small", structures=(1,), names={}, size=64, neighbours=0)
    save_reference(info.made(), info, tmp_path / "other.safetensors")
    with pytest.raises(package.InputError, match=r"its structures are 1, those of .* 3, 8"):
        Segmenter(SegmentationSettings(reference=(scene / "one.safetensors", tmp_path / "other.safetensors")))
