"""RT Structure Sets: contours that give back the voxels, and contours as others draw them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest

import ivos
from ivos.errors import InputError
from ivos.volume.pseudonyms import Pseudonyms
from ivos.volume.rtstruct import write_rtstruct
from tests.volume.series import CORONAL, OBLIQUE, PATIENT, labelled, referable_series

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import Dataset

    from ivos.volume.volume import Volume

NAMES = {3: "liver", 9: "Right Kidney", 200: "strange thing"}
BIG = np.random.default_rng(4).integers(0, 3000, (4, 18, 18)).astype(np.uint16)


@pytest.fixture
def scan(tmp_path: Path) -> Volume:
    referable_series(tmp_path / "scan", BIG)
    return ivos.read(tmp_path / "scan")


def drawn(path: Path, tmp_path: Path, *contours: tuple[int, list[list[float]]], kind: str = "CLOSED_PLANAR") -> None:
    """A structure set whose regions have these contours: (row, column) on slice 2."""
    scan = ivos.read(tmp_path / "scan")
    numbers = sorted({number for number, _ in contours})
    array = np.zeros(scan.array.shape, np.uint8)
    array[0, 0, : len(numbers)] = numbers
    write_rtstruct(path, scan.with_array(array, {n: f"region {n}" for n in numbers}), tmp_path / "scan")
    data = pydicom.dcmread(path)
    for item in data.ROIContourSequence:
        mine = [corners for number, corners in contours if number == item.ReferencedROINumber]
        item.ContourSequence = [contour(scan, corners, kind) for corners in mine]
    data.save_as(path)


def contour(scan: Volume, corners: list[list[float]], kind: str) -> Dataset:
    item = pydicom.Dataset()
    item.ContourGeometricType, item.NumberOfContourPoints = kind, len(corners)
    points = scan.geometry.points_mm([[c[2] if len(c) > 2 else 2, c[0], c[1]] for c in corners])
    item.ContourData = [f"{value:.3f}" for value in points.ravel()]
    return item


def square(low: float, high: float) -> list[list[float]]:
    return [[low, low], [low, high], [high, high], [high, low]]


@pytest.mark.parametrize("how", [{}, CORONAL, OBLIQUE], ids=["axial", "coronal", "oblique"])
def test_what_was_written_comes_back(tmp_path: Path, how: dict[str, Any]) -> None:
    referable_series(tmp_path / "scan", **how)
    labels = labelled(tmp_path / "scan", NAMES)  # voxels at random: holes, islands, diagonals
    write_rtstruct(tmp_path / "rt.dcm", labels, tmp_path / "scan")
    found = ivos.read_labels(tmp_path / "rt.dcm", scan=ivos.read(tmp_path / "scan"))
    np.testing.assert_array_equal(found.array, labels.array)
    assert found.names == NAMES


def test_what_it_says_of_structures_scan_and_patient(tmp_path: Path) -> None:
    referable_series(tmp_path / "scan")
    scan = ivos.read(tmp_path / "scan")
    write_rtstruct(tmp_path / "rt.dcm", labelled(tmp_path / "scan", NAMES), tmp_path / "scan")
    data = pydicom.dcmread(tmp_path / "rt.dcm")
    assert [(r.ROINumber, r.ROIName) for r in data.StructureSetROISequence] == list(NAMES.items())
    coded = data.RTROIObservationsSequence[0].RTROIIdentificationCodeSequence[0]
    assert (coded.CodeValue, coded.CodingSchemeDesignator) == ("10200004", "SCT")
    study = data.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
    referred = study.RTReferencedSeriesSequence[0].ContourImageSequence
    slices = [pydicom.dcmread(path) for path in (tmp_path / "scan").iterdir()]
    assert {item.ReferencedSOPInstanceUID for item in referred} == {data.SOPInstanceUID for data in slices}
    assert data.FrameOfReferenceUID == scan.frame_of_reference == slices[0].FrameOfReferenceUID
    assert data.PatientID == PATIENT["PatientID"]
    labels = labelled(tmp_path / "scan", NAMES)
    write_rtstruct(tmp_path / "rt.dcm", labels, tmp_path / "scan", pseudonyms=Pseudonyms(b"k" * 32))
    content = (tmp_path / "rt.dcm").read_bytes()
    assert not [v for value in PATIENT.values() for v in value.split("^") if v.encode() in content]


def test_contours_within_contours_are_holes_and_points_are_nothing(tmp_path: Path, scan: Volume) -> None:
    drawn(tmp_path / "rt.dcm", tmp_path, (1, square(1.5, 15.5)), (1, square(4.5, 10.5)), (1, square(6.5, 8.5)))
    found = ivos.read_labels(tmp_path / "rt.dcm", scan=scan).array
    assert found[2].sum() == found.sum() == 14**2 - 6**2 + 2**2
    drawn(tmp_path / "rt.dcm", tmp_path, (1, square(1.5, 15.5)), kind="OPEN_PLANAR")
    assert not ivos.read_labels(tmp_path / "rt.dcm", scan=scan).array.any()


def test_regions_that_overlap_are_refused_but_not_where_one_is_chosen(tmp_path: Path, scan: Volume) -> None:
    drawn(tmp_path / "rt.dcm", tmp_path, (1, square(1.5, 15.5)), (2, square(4.5, 10.5)))
    with pytest.raises(InputError, match=r"'region 1' \(1\) and 'region 2' \(2\) overlap"):
        ivos.read_labels(tmp_path / "rt.dcm", scan=scan)
    assert ivos.read_labels(tmp_path / "rt.dcm", scan=scan, structures=[2]).array.sum() == 2 * 6**2


def test_what_is_not_of_this_scan_is_refused(tmp_path: Path, scan: Volume) -> None:
    path = tmp_path / "rt.dcm"
    drawn(path, tmp_path, (1, [[*corner, 2.5] for corner in square(1.5, 5.5)]))
    with pytest.raises(InputError, match="'region 1' does not lie on a slice"):
        ivos.read_labels(path, scan=scan)
    drawn(path, tmp_path, (1, [[*corner, 9] for corner in square(1.5, 5.5)]))
    with pytest.raises(InputError, match="lies outside the scan"):
        ivos.read_labels(path, scan=scan)
    with pytest.raises(InputError, match="only be read with its scan"):
        ivos.read_labels(path)
    referable_series(tmp_path / "other", BIG)
    with pytest.raises(InputError, match="frame of reference of another scan"):
        ivos.read_labels(path, scan=ivos.read(tmp_path / "other"))


def test_a_damaged_file_is_refused(tmp_path: Path, scan: Volume) -> None:
    drawn(tmp_path / "rt.dcm", tmp_path, (1, square(1.5, 5.5)))
    data = pydicom.dcmread(tmp_path / "rt.dcm")
    item = data.ROIContourSequence[0].ContourSequence[0]
    item.ContourData = list(item.ContourData)[:-1]
    data.save_as(tmp_path / "rt.dcm")
    with pytest.raises(InputError, match="not an RT Structure Set, or damaged"):
        ivos.read_labels(tmp_path / "rt.dcm", scan=scan)
