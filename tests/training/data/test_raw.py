"""Folders as they are downloaded: which files are cases, and which are not."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from ivos.errors import InputError
from ivos.training.data.raw import RawFolder, find_cases


def _made(root: Path, *names: str) -> RawFolder:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return find_cases(root)


def _pairs(found: RawFolder) -> dict[str, tuple[str, ...]]:
    return {case.name: tuple(path.name for path in case.files) for case in found.cases}


def test_flare22(tmp_path: Path) -> None:
    found = _made(
        tmp_path,
        "Training/FLARE22_LabeledCase50/images/FLARE22_Tr_0001_0000.nii.gz",
        "Training/FLARE22_LabeledCase50/images/FLARE22_Tr_0002_0000.nii.gz",
        "Training/FLARE22_LabeledCase50/labels/FLARE22_Tr_0001.nii.gz",
        "Training/FLARE22_LabeledCase50/labels/FLARE22_Tr_0002.nii.gz",
        "Training/FLARE22_UnlabeledCase1-1000/Case_00001_0000.nii.gz",
        "Validation/FLARETs_0001_0000.nii.gz",
    )
    assert _pairs(found) == {
        "FLARE22_Tr_0001": ("FLARE22_Tr_0001_0000.nii.gz", "FLARE22_Tr_0001.nii.gz"),
        "FLARE22_Tr_0002": ("FLARE22_Tr_0002_0000.nii.gz", "FLARE22_Tr_0002.nii.gz"),
        "Case_00001": ("Case_00001_0000.nii.gz",),
        "FLARETs_0001": ("FLARETs_0001_0000.nii.gz",),
    }
    assert [case.name for case in found.cases if case.held_out] == ["FLARETs_0001"]
    assert not found.refused


def test_flare22_of_zenodo_and_its_tuning_cases_with_labels(tmp_path: Path) -> None:
    zenodo = _made(
        tmp_path / "FLARE22Train",
        "images/FLARE22_Tr_0001_0000.nii.gz",
        "labels/FLARE22_Tr_0001.nii.gz",
    )
    assert _pairs(zenodo) == {"FLARE22_Tr_0001": ("FLARE22_Tr_0001_0000.nii.gz", "FLARE22_Tr_0001.nii.gz")}
    tuning = _made(
        tmp_path / "FLARE2022",
        "Training/FLARE22_LabeledCase50/images/FLARE22_Tr_0001_0000.nii.gz",
        "Training/FLARE22_LabeledCase50/labels/FLARE22_Tr_0001.nii.gz",
        "Training/FLARE22_UnlabeledCase1001-2000/Case_01001_0000.nii.gz",
        "Tuning/images/FLARETs_0001_0000.nii.gz",
        "Tuning/labels/FLARETs_0001.nii.gz",
    )
    assert _pairs(tuning)["FLARETs_0001"] == ("FLARETs_0001_0000.nii.gz", "FLARETs_0001.nii.gz")
    assert [case.name for case in tuning.cases if case.held_out] == ["FLARETs_0001"]
    assert not tuning.refused


def test_amos_with_its_validation_and_unlabelled_cases(tmp_path: Path) -> None:
    labels = {"0": "background", "1": "spleen", "8": "arota", "15": "prostate/uterus"}
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels, "numTraining": 240}))
    found = _made(
        tmp_path,
        "imagesTr/amos_0001.nii.gz",
        "imagesTr/amos_0507.nii.gz",
        "labelsTr/amos_0001.nii.gz",
        "labelsTr/amos_0507.nii.gz",
        "imagesVa/amos_0008.nii.gz",
        "labelsVa/amos_0008.nii.gz",
        "imagesTs/amos_0002.nii.gz",
        "amos_unlabeled_ct_5000_5399/amos_5000.nii.gz",
    )
    assert _pairs(found) == {
        "amos_0001": ("amos_0001.nii.gz", "amos_0001.nii.gz"),
        "amos_0507": ("amos_0507.nii.gz", "amos_0507.nii.gz"),
        "amos_0008": ("amos_0008.nii.gz", "amos_0008.nii.gz"),
        "amos_0002": ("amos_0002.nii.gz",),
        "amos_5000": ("amos_5000.nii.gz",),
    }
    assert {case.name for case in found.cases if case.held_out} == {"amos_0008", "amos_0002"}
    assert found.names == {1: "spleen", 8: "arota", 15: "prostate/uterus"}
    assert not found.refused


@pytest.mark.parametrize("labels", [{"background": 0, "liver": 1}, {"0": "background", "1": "liver"}])
def test_nnunet_raw_with_its_names_and_a_second_channel(tmp_path: Path, labels: dict[str, object]) -> None:
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    found = _made(
        tmp_path,
        "imagesTr/case_001_0000.nii.gz",
        "imagesTr/case_001_0001.nii.gz",
        "imagesTs/case_002_0000.nii.gz",
        "labelsTr/case_001.nii.gz",
    )
    assert _pairs(found) == {
        "case_001": ("case_001_0000.nii.gz", "case_001.nii.gz"),
        "case_002": ("case_002_0000.nii.gz",),
    }
    assert [(case.name, case.held_out) for case in found.cases] == [("case_001", False), ("case_002", True)]
    assert [refusal.case for refusal in found.refused] == ["case_001_0001"]
    assert found.names == {1: "liver"}


def test_nnunet_with_regions_names_its_ignore_label_alone(tmp_path: Path) -> None:
    labels = {"background": 0, "tumour": [1, 2], "core": 2, "ignore": 3}
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    assert _made(tmp_path, "imagesTr/case_001_0000.nii.gz").names == {3: "ignore"}


def test_btcv(tmp_path: Path) -> None:
    found = _made(
        tmp_path / "RawData",
        "Training/img/img0001.nii.gz",
        "Training/label/label0001.nii.gz",
        "Testing/img/img0061.nii.gz",
    )
    assert _pairs(found) == {"0001": ("img0001.nii.gz", "label0001.nii.gz"), "0061": ("img0061.nii.gz",)}
    assert [case.name for case in found.cases if case.held_out] == ["0061"]
    averaged = _made(
        tmp_path / "mr",
        "averaged-training-images/DET0000101_avg.nii.gz",
        "averaged-training-images/SYNAPSE_METADATA_MANIFEST.tsv",
        "averaged-training-labels/DET0000101_avg_seg.nii.gz",
        "averaged-testing-images/DET0000301_avg.nii.gz",
    )
    assert _pairs(averaged) == {
        "DET0000101_avg": ("DET0000101_avg.nii.gz", "DET0000101_avg_seg.nii.gz"),
        "DET0000301_avg": ("DET0000301_avg.nii.gz",),
    }
    assert [case.name for case in averaged.cases if case.held_out] == ["DET0000301_avg"]


def test_msd_with_files_that_its_archives_bring_along(tmp_path: Path) -> None:
    labels = {"0": "background", "1": "liver", "2": "cancer"}
    (tmp_path / "dataset.json").write_text(json.dumps({"name": "Liver", "tensorImageSize": "3D", "labels": labels}))
    found = _made(
        tmp_path,
        "._dataset.json",
        "._imagesTr",
        "imagesTr/liver_2.nii.gz",
        "imagesTr/._liver_2.nii.gz",
        "labelsTr/liver_2.nii.gz",
        "labelsTr/._liver_2.nii.gz",
        "imagesTs/liver_132.nii.gz",
        "imagesTs/._liver_132.nii.gz",
    )
    assert _pairs(found) == {"liver_2": ("liver_2.nii.gz", "liver_2.nii.gz"), "liver_132": ("liver_132.nii.gz",)}
    assert [case.name for case in found.cases if case.held_out] == ["liver_132"]
    assert found.names == {1: "liver", 2: "cancer"}
    assert not found.refused


def test_plain_names(tmp_path: Path) -> None:
    plain = _made(tmp_path / "plain", "scans/a.nrrd", "masks/a.nii.gz", "scans/b.mha", "masks/lonely.nii.gz")
    assert _pairs(plain) == {"a": ("a.nrrd", "a.nii.gz"), "b": ("b.mha",)}
    assert [refusal.case for refusal in plain.refused] == ["lonely"]
    beside = _made(tmp_path / "beside", "a.nii.gz", "a_labels.nii.gz", "b_seg.nrrd", "b.nrrd", "c.nii")
    assert _pairs(beside) == {"a": ("a.nii.gz", "a_labels.nii.gz"), "b": ("b.nrrd", "b_seg.nrrd"), "c": ("c.nii",)}


def test_numbers_at_the_end_are_not_taken_for_channels(tmp_path: Path) -> None:
    labelled = _made(tmp_path / "a", *(f"{kind}/case_000{n}.nii.gz" for kind in ("images", "labels") for n in range(3)))
    assert sorted(_pairs(labelled)) == ["case_0000", "case_0001", "case_0002"]
    unlabelled = _made(tmp_path / "b", *(f"images/case_{n:04d}.nii.gz" for n in range(12)))
    assert len(unlabelled.cases) == 12
    assert not unlabelled.refused


def test_totalsegmentator_case_folders(tmp_path: Path) -> None:
    found = _made(
        tmp_path,
        "meta.csv",
        "s0001/ct.nii.gz",
        "s0001/segmentations/liver.nii.gz",
        "s0001/segmentations/spleen.nii.gz",
        "s0002/segmentations/liver.nii.gz",
    )
    assert _pairs(found) == {"s0001": ("ct.nii.gz", "liver.nii.gz", "spleen.nii.gz")}
    assert [refusal.case for refusal in found.refused] == ["s0002"]
    mr = _made(tmp_path / "mr", "meta.csv", "s0001/mri.nii.gz", "s0001/segmentations/liver.nii.gz")
    assert _pairs(mr) == {"s0001": ("mri.nii.gz", "liver.nii.gz")}


def test_totalsegmentator_split_and_structures_of_other_versions(tmp_path: Path) -> None:
    structures = ("liver", "vertebrae_L6", "face")
    _made(tmp_path, "s0000/segmentations/liver.nii.gz", *(f"s{n:04d}/ct.nii.gz" for n in range(3)))
    _made(tmp_path, *(f"s{n:04d}/segmentations/{name}.nii.gz" for n in range(3) for name in structures))
    (tmp_path / "meta.csv").write_text("image_id;age;split\ns0000;70;train\ns0001;50;val\ns0002;;test\n")
    found = find_cases(tmp_path)
    assert [case.held_out for case in found.cases] == [False, True, True]
    assert (found.names[5], found.names[118], found.names[119]) == ("liver", "face", "vertebrae_L6")


def test_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    found = _made(tmp_path, "site1/a.nii.gz", "site2/a.nii.gz", "site2/b.nii.gz")
    assert _pairs(found) == {"b": ("b.nii.gz",)}
    assert found.refused[0].reason.startswith(
        f"there twice: {tmp_path / 'site1/a.nii.gz'} and {tmp_path / 'site2/a.nii.gz'};"
    )
    with pytest.raises(InputError, match=r"there twice: .*a\.nii\.gz and .*a\.nrrd"):
        _made(tmp_path / "all", "images/a.nii.gz", "images/a.nrrd", "labels/a.nii.gz")


def test_two_label_files_of_a_case_are_refused(tmp_path: Path) -> None:
    found = _made(tmp_path, *(f"{f}/{c}.nii.gz" for f in ("images", "labels", "GT") for c in "ab"), "images/c.nii.gz")
    assert _pairs(found) == {"c": ("c.nii.gz",)}
    assert [refusal.case for refusal in found.refused] == ["a", "b"]
    assert "GT/a.nii.gz" in found.refused[0].reason
    assert "labels/a.nii.gz" in found.refused[0].reason


def test_case_folders_of_one_name_are_refused(tmp_path: Path) -> None:
    names = [f"{part}/s1/{file}.nii.gz" for part in ("a", "b") for file in ("ct", "segmentations/liver")]
    found = _made(tmp_path, *names, "a/s2/ct.nii.gz")
    assert [case.name for case in found.cases] == ["s2"]
    assert "there twice" in found.refused[0].reason


LABEL_FOLDERS = (
    "annotations,Annotation,GT,gt,gt_v2,GTs,ground_truth,Ground Truth,delineations,contours,expert_masks,manual"
)


@pytest.mark.parametrize("scans", ["images", "imagesTr", "img", "Scans", "CT", "volumes", "averaged-training-images"])
@pytest.mark.parametrize("labels", [*LABEL_FOLDERS.split(","), "labelsTr"])
def test_folders_of_labels_by_their_names(scans: str, labels: str, tmp_path: Path) -> None:
    found = _made(tmp_path, *(f"{folder}/{case}.nii.gz" for folder in (scans, labels) for case in ("a", "b")))
    assert {case.name: (case.scan.parent.name, case.labels and case.labels.parent.name) for case in found.cases} == {
        "a": (scans, labels),
        "b": (scans, labels),
    }
    assert not found.refused


def test_the_innermost_folder_that_says_something_decides(tmp_path: Path) -> None:
    found = _made(
        tmp_path, "SegThor/images/a.nii.gz", "SegThor/labels/a.nii.gz", "images/labels/b.nii.gz", "images/b.nii.gz"
    )
    assert _pairs(found) == {"a": ("a.nii.gz", "a.nii.gz"), "b": ("b.nii.gz", "b.nii.gz")}
    assert [case.scan.parent.name for case in found.cases] == ["images", "images"]


@pytest.mark.parametrize("folder", ["images_without_labels", "no labels", "Unlabelled", "unlabeled_part2"])
def test_scans_without_labels_are_scans(folder: str, tmp_path: Path) -> None:
    found = _made(tmp_path, "images/a.nii.gz", "labels/a.nii.gz", f"{folder}/b.nii.gz")
    assert _pairs(found) == {"a": ("a.nii.gz", "a.nii.gz"), "b": ("b.nii.gz",)}


@pytest.mark.parametrize("folder", ["ensemble", "Zensemble", "fold_0", "postprocessed", "nnunet/out"])
def test_predictions_beside_the_scans_are_passed_over_by_name(folder: str, tmp_path: Path) -> None:
    scans = [f"imagesTr/{case}_0000.nii.gz" for case in "ab"]
    found = _made(tmp_path, *scans, *(f"labelsTr/{c}.nii.gz" for c in "ab"), *(f"{folder}/{c}.nii.gz" for c in "bx"))
    assert _pairs(found) == {case: (f"{case}_0000.nii.gz", f"{case}.nii.gz") for case in "ab"}
    (refusal,) = found.refused
    assert f"{folder}/b.nii.gz has the name of the scan" in refusal.reason
    assert "imagesTr/b_0000.nii.gz" in refusal.reason


def test_composed_and_decomposed_names_are_one(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Müller_Žižka") for form in ("NFC", "NFD"))
    found = _made(tmp_path, f"images/{decomposed}_0000.nii.gz", f"labels/{composed}.seg.nrrd")
    assert [case.name for case in found.cases] == [composed]
    assert found.cases[0].labels is not None


def test_what_a_system_leaves_is_passed_over(tmp_path: Path) -> None:
    left = ("images/._a.nii.gz", "__MACOSX/images/a.nii.gz", "images/.DS_Store", ".Trash/b.nii.gz", "labels/Thumbs.db")
    found = _made(tmp_path, "images/a.nii.gz", "labels/a.nii.gz", *left)
    assert _pairs(found) == {"a": ("a.nii.gz", "a.nii.gz")}
    assert not found.refused


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        find_cases(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no scans"):
        find_cases(tmp_path)
    (tmp_path / "dataset.json").write_text("[1, 2]")
    with pytest.raises(InputError, match=r"not the dataset\.json"):
        find_cases(tmp_path)
