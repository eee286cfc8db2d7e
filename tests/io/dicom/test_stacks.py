"""Copies of slices count once; several stacks in one series are told apart, listed and chosen by number."""

from __future__ import annotations

import logging
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEGLSLossless, generate_uid

import ivos
from ivos.cohort.dicom_tree import SeriesRules
from ivos.cohort.sources import cases_from
from ivos.errors import InputError
from ivos.io.dicom.series import series_in
from ivos.io.labels import LabelFormat, write_labels
from tests.io.dicom.series import CORONAL, STORED, edited, referable_series
from tests.io.grids import write_dicom

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import Dataset

HU = STORED.astype(int) - 1024
SAGITTAL: dict[str, Any] = {"orientation": (0, 1, 0, 0, 0, -1), "step_mm": (2.0, 0.0, 0.0)}


def tagged(paths: list[Path], start: int = 1, shift_mm: tuple[float, float, float] = (0, 0, 0), **tags: Any) -> None:
    """Number the images, move them, and give them these values."""

    def edit(data: Dataset, number: int) -> None:
        data.InstanceNumber = start + number
        data.ImagePositionPatient = [float(p) + s for p, s in zip(data.ImagePositionPatient, shift_mm, strict=True)]
        for keyword, value in tags.items():
            setattr(data, keyword, value)

    edited(paths, edit)


def listed(folder: Path) -> list[str]:
    (series,) = series_in(folder)
    return [stack.describe() for stack in series.stacks]


@pytest.mark.parametrize("where", ["", "again"])
@pytest.mark.parametrize("which", [slice(None), slice(2, 3), slice(0, 2)])
def test_copies_of_files_count_once(tmp_path: Path, which: slice, where: str, caplog: pytest.LogCaptureFixture) -> None:
    paths = write_dicom(tmp_path / "scan", STORED)[which]
    (tmp_path / "scan" / where).mkdir(exist_ok=True)
    for path in paths:
        shutil.copy(path, tmp_path / "scan" / where / f"{path.stem} (1).dcm")
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(ivos.read(tmp_path / "scan").array, HU)
    assert ("5 copies of slices count once", "1 copy of a slice counts", "2 copies")[
        {5: 0, 1: 1, 2: 2}[len(paths)]
    ] in caplog.text
    (case,) = cases_from(tmp_path, rules=SeriesRules(slices=5)).cases
    assert ivos.read(case.inputs["scan"], series=case.series).array.shape == STORED.shape
    with pytest.raises(InputError, match="fewer than 6 slices"):
        cases_from(tmp_path, rules=SeriesRules(slices=6))


def test_a_copy_that_is_compressed_is_one(tmp_path: Path) -> None:
    path = write_dicom(tmp_path, STORED)[1]
    data = pydicom.dcmread(path)
    data.compress(JPEGLSLossless, generate_instance_uid=False)
    data.save_as(tmp_path / "copy.dcm")
    np.testing.assert_array_equal(ivos.read(tmp_path).array, HU)


def test_a_copy_with_other_pixels_is_refused_with_both_names(tmp_path: Path) -> None:
    path = write_dicom(tmp_path, STORED)[1]
    data = pydicom.dcmread(path)
    data.PixelData = (STORED[1] + 1).astype("<u2").tobytes()
    data.save_as(tmp_path / "z.dcm")
    with pytest.raises(InputError, match=rf"{path.name} and z\.dcm are one slice.*differ in their pixels"):
        ivos.read(tmp_path)


def test_slices_that_all_have_one_uid_are_no_copies(tmp_path: Path) -> None:
    edited(write_dicom(tmp_path, STORED), lambda data, _: setattr(data, "SOPInstanceUID", "1.2.3"))
    np.testing.assert_array_equal(ivos.read(tmp_path).array, HU)


@pytest.fixture
def localiser(tmp_path: Path) -> Path:
    """Three planes of five slices in one series, numbered one after the other."""
    folder = tmp_path / "localiser"
    for number, how in enumerate(({}, CORONAL, SAGITTAL)):
        paths = write_dicom(folder / str(number), STORED + 100 * number, series="1.2.3", **how)
        tagged(paths, 1 + 5 * number, StudyInstanceUID="1.2", FrameOfReferenceUID="1.2.9")
    return folder


def test_planes_of_one_series_are_told_apart_and_chosen(localiser: Path) -> None:
    assert listed(localiser) == [
        "axial, 5 slices, 2 mm apart",
        "coronal, 5 slices, 2 mm apart",
        "sagittal, 5 slices, 2 mm apart",
    ]
    with pytest.raises(InputError, match=r"several stacks of one length.*--stack: 1 \(axial.*, 3 \(sagittal, 5 slices"):
        ivos.read(localiser)
    for number in (1, 2, 3):
        array = ivos.read(localiser, stack=number).array
        assert sorted(array.ravel()) == sorted((HU + 100 * (number - 1)).ravel())
    assert ivos.read(localiser, series="2.3", stack=2).geometry.through_plane_axis == 1
    with pytest.raises(InputError, match=r"no stack 4 in the series; there are 1 \(axial"):
        ivos.read(localiser, stack=4)


@pytest.mark.parametrize("form", [LabelFormat.dicom_seg, LabelFormat.rtstruct])
def test_labels_refer_to_the_stack_that_is_chosen(localiser: Path, tmp_path: Path, form: LabelFormat) -> None:
    scan = ivos.read(localiser, stack=2)
    array = np.zeros(scan.array.shape, np.uint8)
    array[1:3, 1:3, 1:3] = 1
    write_labels(tmp_path / "a.dcm", scan.with_array(array), source=localiser, stack=2, form=form)
    np.testing.assert_array_equal(ivos.read_labels(tmp_path / "a.dcm", scan=scan).array, array)
    with pytest.raises(InputError, match="--stack"):
        write_labels(tmp_path / "b.dcm", scan.with_array(array), source=localiser, form=form)


def test_the_longest_stack_is_taken_with_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tagged(write_dicom(tmp_path / "0", STORED[:2], series="1.2.3", **CORONAL))
    tagged(write_dicom(tmp_path / "1", STORED, series="1.2.3"), 3)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(ivos.read(tmp_path).array, HU)
    assert "taking the longest. Choose with --stack: 1 (coronal, 2 slices, 2 mm apart), 2 (axial, 5 sl" in caplog.text
    assert ivos.read(tmp_path, stack=1).array.shape == (6, 2, 7)


def test_discs_of_a_spine_are_listed_with_their_angles(tmp_path: Path) -> None:
    for number, degrees in enumerate((-12, -4, 3)):
        sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
        paths = write_dicom(
            tmp_path / str(number),
            STORED,
            series="1.2.3",
            orientation=(1, 0, 0, 0, float(f"{cosine:.8f}"), float(f"{sine:.8f}")),
            step_mm=(0.0, round(-4 * sine, 6), round(4 * cosine, 6)),
        )
        tagged(paths, shift_mm=(0, 0, 40 * number))
    assert listed(tmp_path) == [f"axial, oblique by {d} degrees, 5 slices, 4 mm apart" for d in (12, 4, 3)]
    np.testing.assert_array_equal(ivos.read(tmp_path, stack=3).array, HU)


PHASES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "acquisitions": ({"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}, "AcquisitionNumber 2"),
    "echoes": ({"EchoTime": "2.3"}, {"EchoTime": "4.6"}, "EchoTime 4.6"),
    "kinds": ({"ImageType": ["ORIGINAL", "M"]}, {"ImageType": ["ORIGINAL", "P"]}, "ImageType ['ORIGINAL', 'P']"),
    "numbers alone": ({"start": 1}, {"start": 6}, "image 2 of 2 at each place"),
    "places in the plane": ({}, {"shift_mm": (90, 0, 0)}, "at 100, 20 mm in the plane"),
    "slices between": ({"StackID": "1"}, {"StackID": "2", "shift_mm": (0, 0, 0.7)}, "StackID 2"),
}  # fmt: skip


@pytest.mark.parametrize("name", PHASES)
def test_stacks_of_one_orientation_are_told_apart(tmp_path: Path, name: str) -> None:
    one, other, apart = PHASES[name]
    tagged(write_dicom(tmp_path / "0", STORED, series="1.2.3"), **one)
    tagged(write_dicom(tmp_path / "1", STORED + 50, series="1.2.3"), **other)
    assert listed(tmp_path)[1] == f"axial, 5 slices, 2 mm apart, {apart}"
    with pytest.raises(InputError, match="choose one with --stack"):
        ivos.read(tmp_path)
    np.testing.assert_array_equal(ivos.read(tmp_path, stack=2).array, HU + 50)


def test_stacks_with_a_gap_between_them_are_never_taken_unasked(tmp_path: Path) -> None:
    tagged(write_dicom(tmp_path / "0", STORED, series="1.2.3"))
    tagged(write_dicom(tmp_path / "1", STORED[:3] + 50, series="1.2.3"), 6, (0, 0, 30))
    with pytest.raises(InputError, match=r"22 mm after slice 5 of 8: .*1 \(axial, 5 slices.*2 \(axial, 3 slices"):
        ivos.read(tmp_path)
    np.testing.assert_array_equal(ivos.read(tmp_path, stack=2).array, HU[:3] + 50)


@pytest.mark.parametrize("gap_mm", [30, 200])
def test_stacks_far_from_each_other_are_told_apart_where_both_begin_with_image_1(tmp_path: Path, gap_mm: int) -> None:
    tagged(write_dicom(tmp_path / "0", STORED, series="1.2.3"))
    tagged(write_dicom(tmp_path / "1", STORED + 50, series="1.2.3"), shift_mm=(0, 0, gap_mm))
    assert listed(tmp_path) == ["axial, 5 slices, 2 mm apart"] * 2
    with pytest.raises(InputError, match=r"choose one with --stack: 1 \(axial, 5 slices.*2 \(axial, 5 slices"):
        ivos.read(tmp_path)
    np.testing.assert_array_equal(ivos.read(tmp_path, stack=2).array, HU + 50)


def test_two_series_ask_for_the_series_first(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for series in ("1.2.31", "1.2.32"):
        for number, how in enumerate(({}, CORONAL)):
            tagged(write_dicom(tmp_path / series / str(number), STORED, series=series, **how), 1 + 5 * number)
    with pytest.raises(InputError, match="choose one with --series"):
        ivos.read(tmp_path, stack=1)
    with pytest.raises(InputError, match="choose one with --stack"):
        ivos.read(tmp_path, series="32")
    assert ivos.read(tmp_path, series="32", stack=2).geometry.through_plane_axis == 1
    assert not caplog.text


def test_a_zip_and_a_list_of_cases_choose_too(localiser: Path, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "scan"), "zip", localiser)
    assert ivos.read(archive, stack=3).geometry.through_plane_axis == 2
    (tmp_path / "list.csv").write_text("case,scan,stack\na,localiser,2\nb,localiser,\n")
    assert [case.stack for case in cases_from(tmp_path / "list.csv").cases] == [2, None]
    (tmp_path / "list.json").write_text('[{"case": "a", "scan": "localiser", "stack": 0}]')
    with pytest.raises(InputError, match="entry 1: stack '0' is no number from 1"):
        cases_from(tmp_path / "list.json")


def test_a_missing_uid_of_the_series_is_one_series(tmp_path: Path) -> None:
    referable_series(tmp_path, STORED, series=generate_uid())
    edited(sorted(tmp_path.iterdir()), lambda data, _: delattr(data, "SeriesInstanceUID"))
    np.testing.assert_array_equal(ivos.read(tmp_path).array, HU)
