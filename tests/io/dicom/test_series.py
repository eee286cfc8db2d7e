"""DICOM series: found among other files, ordered by place, in HU; refused where they are no upright stack."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest

import ivos
from ivos.errors import InputError
from tests.io.grids import write_dicom

STORED = np.random.default_rng(1).integers(0, 3000, (5, 6, 7)).astype(np.uint16)


def test_a_series_in_hu_ordered_by_place(tmp_path: Path) -> None:
    write_dicom(tmp_path, STORED)
    scan = ivos.read(tmp_path)
    np.testing.assert_array_equal(scan.array, STORED.astype(int) - 1024)
    assert scan.array.dtype == np.int16
    assert scan.modality == "CT"
    assert scan.source.spacing_mm == pytest.approx((2.0, 0.8, 0.7))
    assert scan.source.origin_mm == (10.0, 20.0, 30.0)


def test_fractional_slope(tmp_path: Path) -> None:
    write_dicom(tmp_path, STORED, slope=0.5, intercept=-1000.25)
    np.testing.assert_allclose(ivos.read(tmp_path).array, STORED * 0.5 - 1000.25)


def test_coronal_series_is_turned_upright(tmp_path: Path) -> None:
    write_dicom(tmp_path, STORED, orientation=(1, 0, 0, 0, 0, -1), step_mm=(0.0, 2.0, 0.0))
    scan = ivos.read(tmp_path)
    np.testing.assert_array_equal(scan.array, (STORED.astype(int) - 1024).transpose(1, 0, 2)[::-1])
    assert scan.geometry.through_plane_axis == 1
    np.testing.assert_array_equal(scan.source_array().shape, STORED.shape)


def test_stray_files_and_a_localizer_are_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_dicom(tmp_path / "deep" / "er", STORED)
    write_dicom(tmp_path, STORED[:2, :4, :4], description="scout")
    (tmp_path / "readme.txt").write_text("stray")
    (tmp_path / "empty.dcm").write_bytes(b"")
    (tmp_path / "fake.dcm").write_bytes(b"\0" * 128 + b"NOPE")
    with caplog.at_level(logging.WARNING):
        assert ivos.read(tmp_path).array.shape == STORED.shape
    assert "scout" in caplog.text
    assert "--series" in caplog.text


def test_a_series_is_chosen_by_the_end_of_its_uid(tmp_path: Path) -> None:
    write_dicom(tmp_path, STORED, series="1.2.3.41", description="venous")
    write_dicom(tmp_path, STORED + 1, series="1.2.3.42", description="arterial")
    with pytest.raises(InputError, match=r"several series of one length.*--series.*venous.*") as caught:
        ivos.read(tmp_path)
    assert "arterial" in str(caught.value)
    assert ivos.read(tmp_path, series="42").array[0, 0, 0] == int(STORED[0, 0, 0]) + 1 - 1024
    with pytest.raises(InputError, match="no series ends in '43'"):
        ivos.read(tmp_path, series="43")


def test_zip_of_a_series(tmp_path: Path) -> None:
    write_dicom(tmp_path / "series", STORED)
    archive = shutil.make_archive(str(tmp_path / "scan"), "zip", tmp_path / "series")
    np.testing.assert_array_equal(ivos.read(archive).array, STORED.astype(int) - 1024)


def test_truncated_zip(tmp_path: Path) -> None:
    write_dicom(tmp_path / "series", STORED)
    archive = Path(shutil.make_archive(str(tmp_path / "scan"), "zip", tmp_path / "series"))
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(InputError, match="not a whole"):
        ivos.read(archive)


def test_gantry_tilt_is_refused_with_its_angle(tmp_path: Path) -> None:
    write_dicom(tmp_path, STORED, step_mm=(0.0, 2 * np.tan(np.radians(12)), 2.0))
    with pytest.raises(InputError, match=r"gantry tilt of 12\.0 degrees"):
        ivos.read(tmp_path)


def test_a_missing_slice_is_refused_with_its_place(tmp_path: Path) -> None:
    write_dicom(tmp_path, STORED)[2].unlink()
    with pytest.raises(InputError, match="2 mm apart, but 4 mm after slice 2"):
        ivos.read(tmp_path)


def test_two_time_points_are_refused(tmp_path: Path) -> None:
    for number in range(2):
        write_dicom(tmp_path / str(number), STORED, series="1.2.3")
    with pytest.raises(InputError, match="5 slices lie where another one lies"):
        ivos.read(tmp_path)


def test_one_slice_is_refused(tmp_path: Path) -> None:
    write_dicom(tmp_path, STORED[:1])
    with pytest.raises(InputError, match="two-dimensional"):
        ivos.read(tmp_path)


def test_one_file_of_a_series_is_refused(tmp_path: Path) -> None:
    path = write_dicom(tmp_path, STORED)[0]
    with pytest.raises(InputError, match="folder that holds the whole series"):
        ivos.read(path)


def test_a_folder_without_dicom_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scan.nii.gz").write_bytes(b"")
    with pytest.raises(InputError, match="no DICOM image series"):
        ivos.read(tmp_path)


def test_multi_frame_alone_is_refused(tmp_path: Path) -> None:
    path = write_dicom(tmp_path, STORED)[0]
    data = pydicom.dcmread(path)
    del data.ImagePositionPatient
    data.NumberOfFrames = 5
    data.SharedFunctionalGroupsSequence = []
    data.save_as(path)
    assert ivos.read(tmp_path).array.shape[0] == 4  # passed over beside a series, where a segmentation may lie
    (tmp_path / "alone").mkdir()
    path.rename(tmp_path / "alone" / path.name)
    with pytest.raises(InputError, match="multi-frame"):
        ivos.read(tmp_path / "alone")


def test_truncated_pixels_are_refused(tmp_path: Path) -> None:
    path = write_dicom(tmp_path, STORED)[1]
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=f"{path.name}: truncated"):
        ivos.read(tmp_path)
