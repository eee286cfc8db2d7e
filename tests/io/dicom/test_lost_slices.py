"""No slice of a series is lost without a word: files without preamble are read, what is passed over is named."""

from __future__ import annotations

import logging
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest
from pydicom.uid import UID

import ivos
from ivos.errors import InputError
from ivos.io.cases import scans_by_case
from ivos.io.dicom.files import is_dicom
from tests.io.dicom.series import STORED, edited, without_preamble
from tests.io.grids import write_dicom

if TYPE_CHECKING:
    from pathlib import Path

HU = STORED.astype(int) - 1024


def remarks(folder: Path, caplog: pytest.LogCaptureFixture) -> tuple[tuple[int, ...], str]:
    """The size of the scan in a folder, and what is said about it."""
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        shape = ivos.read(folder).array.shape
    return shape, caplog.text


@pytest.mark.parametrize("how", [{}, {"explicit": True}, {"file_header": True}], ids=["implicit", "explicit", "header"])
@pytest.mark.parametrize("which", [slice(None), slice(-2, None), slice(1)], ids=["all", "last two", "first"])
def test_data_sets_without_preamble_are_read(
    tmp_path: Path, how: dict[str, bool], which: slice, caplog: pytest.LogCaptureFixture
) -> None:
    for path in write_dicom(tmp_path, STORED)[which]:
        without_preamble(path, **how)
        assert is_dicom(path)
    np.testing.assert_array_equal(ivos.read(tmp_path).array, HU)
    assert not caplog.text
    shutil.make_archive(str(tmp_path / "scan"), "zip", tmp_path)
    np.testing.assert_array_equal(ivos.read(tmp_path / "scan.zip").array, HU)


def test_one_whose_uids_are_empty_is_read(tmp_path: Path) -> None:
    def anonymous(data: pydicom.Dataset, _: int) -> None:
        data.SOPClassUID = data.SOPInstanceUID = ""

    for path in edited(write_dicom(tmp_path, STORED), anonymous):
        without_preamble(path)
    np.testing.assert_array_equal(ivos.read(tmp_path).array, HU)


def test_a_folder_of_them_is_a_scan(tmp_path: Path) -> None:
    for path in write_dicom(tmp_path / "scans" / "a", STORED):
        without_preamble(path)
    assert scans_by_case(tmp_path / "scans") == {"a": tmp_path / "scans" / "a"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x08\x00",
        b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100" + bytes(200),  # begins as a data set, and says not what it is
        b"\x08\x00\x16\x00\x04\x00\x00\x00text" + bytes(200),  # its class is no UID
        np.full(500, 8, "<u2").tobytes(),  # voxels
        b"\x08\x00\x16\x00UI\xff\xff1.2",
        b"\x08\x00\x16\x00UI\x04\x001.2\x00\x08\x00\xff\x0fUI\x04\x001.2\x00" + b"\x10\x00\x10\x00PN\x02\x00A " * 2,
    ],
)
def test_other_files_are_not_taken_for_them(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    assert not is_dicom(tmp_path / "a")


@pytest.mark.parametrize("end", [0, -1])
@pytest.mark.parametrize("length", [0, 90, 200, 420, 560])
def test_a_truncated_file_at_an_end_is_named(
    tmp_path: Path, end: int, length: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_dicom(tmp_path, STORED)[end]
    whole = path.read_bytes()
    assert whole.index(b"\x20\x00\x37\x00DS") > length  # cut before the orientation
    path.write_bytes(whole[:length])
    (tmp_path / "readme.txt").write_text("notes")
    shape, said = remarks(tmp_path, caplog)
    assert shape == (4, 6, 7)
    assert f"2 files are passed over; slices of the series may be among them: {path.name} (" in said
    assert "readme" not in said


def test_a_foreign_file_among_slices_is_named_and_one_of_another_kind_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number, path in enumerate(write_dicom(tmp_path, STORED), start=1):
        path.rename(tmp_path / f"IM{number:04d}")
    (tmp_path / "IM0006").write_bytes(b"\xff\xd8\xff\xe0 JFIF")
    (tmp_path / "README").write_text("notes")
    (tmp_path / "preview.jpg").write_bytes(b"\xff\xd8\xff\xe0 JFIF")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "IM0007").write_bytes(b"\0")
    for leftover in ("._IM0001", ".DS_Store", "Thumbs.db", "desktop.ini"):
        (tmp_path / leftover).write_bytes(b"\0\5\x16\7")
    said = remarks(tmp_path, caplog)[1]
    assert "4 files are passed over; slices of the series may be among them: IM0006 (not DICOM, or cut off)\n" in said


def test_a_slice_of_the_series_without_a_place_is_named_and_other_objects_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, *_, last = write_dicom(tmp_path, STORED, series="1.2.3")
    data = pydicom.dcmread(last)
    del data.ImagePositionPatient
    data.save_as(last)
    data.SeriesInstanceUID = "1.2.4"  # a report of the same study
    data.save_as(tmp_path / "report.dcm")
    data = pydicom.dcmread(first)
    data.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.1.3.10")
    del data.SeriesInstanceUID, data.ImagePositionPatient
    data.save_as(tmp_path / "DICOMDIR")
    shape, said = remarks(tmp_path, caplog)
    assert shape == (4, 6, 7)
    assert f"2 files are passed over; slices of the series may be among them: {last.name} (no position" in said
    assert "report" not in said
    assert "DICOMDIR" not in said


def test_a_gap_is_refused_with_the_file_that_may_fill_it(tmp_path: Path) -> None:
    path = write_dicom(tmp_path, STORED)[2]
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(InputError, match=f"4 mm after slice 2.*may be among them: {path.name}"):
        ivos.read(tmp_path)


def test_where_no_file_can_be_used_they_are_counted(tmp_path: Path) -> None:
    for path in write_dicom(tmp_path, STORED):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"no DICOM image series found.*5 files are passed over"):
        ivos.read(tmp_path)


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ([1, 2, 3, 4, 5], None),
        ([0, 1, 2, 3, 4], None),
        ([5, 4, 3, 2, 1], None),
        ([1, 1, 1, 1, 1], None),
        (["", "", "", "", ""], None),
        ([41, 42, 43, 44, 45], "InstanceNumbers begin at 41; look whether slices are missing"),
        ([1, 2, 3, 5, 6], "between InstanceNumber 1 and 6 there is no 4; look"),
        ([1, 2, 3, 4, 50], "there is no 5, 6, 7, 8, 9, 10 and 39 more; look"),
        ([9, 10, 12, 13, 14], "there is no 11; InstanceNumbers begin at 9; look"),
    ],
)
def test_instance_numbers_with_gaps_or_from_far_above_1_are_remarked_on(
    tmp_path: Path, numbers: list[int], told: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    edited(write_dicom(tmp_path, STORED), lambda data, n: setattr(data, "InstanceNumber", numbers[n]))
    shape, said = remarks(tmp_path, caplog)
    assert shape == STORED.shape
    assert (told in said) if told else not said


def test_numbers_of_another_stack_are_not_missing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    scan = write_dicom(tmp_path, STORED, series="1.2.3")
    edited(scan, lambda data, n: setattr(data, "InstanceNumber", [1, 3, 4, 5, 6][n]))
    scout = write_dicom(tmp_path, STORED[:1, :4, :4], series="1.2.3", description="scout")
    edited(scout, lambda data, _: setattr(data, "InstanceNumber", 2))
    assert "InstanceNumber" not in remarks(tmp_path, caplog)[1]
