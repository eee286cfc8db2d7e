"""Names of files: which case they are of, and whether they hold labels."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ivos
from ivos.errors import InputError
from ivos.files import is_system_file
from ivos.io.case_names import case_of, is_named_as_labels
from ivos.io.cases import holds_files, labels_by_case, scans_by_case
from tests.propagation.scenes import volume_of

if TYPE_CHECKING:
    from collections.abc import Iterable

VOLUME = volume_of(np.zeros((2, 2, 2), np.uint8))
LABEL_NAMES = ["{}.seg.nrrd", "{}.seg.nii.gz", "{}-label.nii.gz", "{}_seg.nii.gz", "{}_labels.nrrd", "{}_mask.mha",
               "{}-Segmentation.nii", "{}.SEG.NRRD", "{}_gt.nii.gz", "{}_0000.seg.nrrd", "{} ground truth.nii.gz",
               "{}_label.seg.nrrd", "{}_dseg.nii.gz", "{}-annotations.nii.gz", "{}-labelmap.nii.gz"]  # fmt: skip


def put(folder: Path, names: Iterable[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")
    return folder


@pytest.mark.parametrize("form", LABEL_NAMES)
@pytest.mark.parametrize("case", ["p0", "Müller 2", "a.b_c-1", "seg_3"])
def test_labels_are_of_the_case_that_the_name_begins_with(case: str, form: str) -> None:
    assert case_of(Path(form.format(case))) == case
    assert is_named_as_labels(Path(form.format(case)))


@pytest.mark.parametrize("name", ["label.nii.gz", "mask.nii", "case_segment.nii.gz", "unlabelled.nii.gz", "p_gta.nrrd"])
def test_other_words_say_nothing(name: str) -> None:
    assert case_of(Path(name)) == name.split(".", 1)[0]
    assert not is_named_as_labels(Path(name))


@given(st.text(st.characters(categories=("L", "M", "N")), min_size=1, max_size=12))
def test_composed_and_decomposed_are_one_case(name: str) -> None:
    forms = {case_of(Path(f"{unicodedata.normalize(form, name)}.nii.gz")) for form in ("NFC", "NFD")}
    assert len(forms) == 1


@pytest.mark.parametrize("form", LABEL_NAMES)
def test_scans_and_labels_in_one_folder_are_told_apart(form: str, tmp_path: Path) -> None:
    folder = put(tmp_path / "all", ["a.nii.gz", form.format("a"), "b.nii.gz", ".DS_Store", "Thumbs.db", "._a.nii.gz"])
    assert {case: path.name for case, path in scans_by_case(folder).items()} == {"a": "a.nii.gz", "b": "b.nii.gz"}
    assert {case: path.name for case, path in labels_by_case(folder).items()} == {"a": form.format("a")}


def test_a_folder_of_labels_may_have_names_of_both_kinds(tmp_path: Path) -> None:
    folder = put(tmp_path / "drawn", ["a.nii.gz", "b.seg.nrrd", "c_0000.nii.gz"])
    assert sorted(labels_by_case(folder)) == ["a", "b", "c"]


COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Müller.nii.gz") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(
    "names", [("a.nii.gz", "a.nrrd"), ("a.nii.gz", "a_0000.nii.gz"), (COMPOSED, DECOMPOSED), ("a.mha", "a_0000.nii")]
)
def test_two_files_of_one_case_are_refused_by_both_names(names: tuple[str, str], tmp_path: Path) -> None:
    folder = put(tmp_path / "two", names)
    for read in (scans_by_case, labels_by_case):
        with pytest.raises(InputError, match="is there twice") as refusal:
            read(folder)
        assert all(name in str(refusal.value) for name in names)


def test_two_label_files_beside_a_scan_are_refused(tmp_path: Path) -> None:
    folder = put(tmp_path / "two", ["a.nii.gz", "a.seg.nrrd", "a-label.nii.gz"])
    with pytest.raises(InputError, match=r"a\.seg\.nrrd: the case 'a' is there twice, as a-label\.nii\.gz too"):
        labels_by_case(folder)


def test_labels_alone_are_no_scans(tmp_path: Path) -> None:
    folder = put(tmp_path / "labels", ["a.seg.nrrd", "b-label.nii.gz"])
    assert not holds_files(folder)
    with pytest.raises(InputError, match=r"all are named as labels: a\.seg\.nrrd, b-label\.nii\.gz"):
        scans_by_case(folder)


@pytest.mark.parametrize("name", ["._a.nii.gz", ".DS_Store", "Thumbs.db", "desktop.ini", "DESKTOP.INI", "Icon\r",
                                  "__MACOSX/a.nii.gz", ".ivos-x/a.nii.gz"])  # fmt: skip
def test_what_a_system_leaves(name: str) -> None:
    assert is_system_file(Path(name))
    assert not is_system_file(Path("a._b.nii.gz"))


def test_what_a_system_leaves_alone_is_an_empty_folder(tmp_path: Path) -> None:
    folder = put(tmp_path / "x", ["._a.nii.gz", ".DS_Store"])
    assert not holds_files(folder)
    for read in (scans_by_case, labels_by_case):
        with pytest.raises(InputError, match=r"no (label|scan) files"):
            read(folder)


def test_read_labels_takes_a_name_that_slicer_gives(tmp_path: Path) -> None:
    ivos.write(tmp_path / "a.seg.nrrd", VOLUME.with_array(VOLUME.array, {1: "liver"}))
    assert ivos.read_labels(labels_by_case(tmp_path)["a"]).names == {1: "liver"}
