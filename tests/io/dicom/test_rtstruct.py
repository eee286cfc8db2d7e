"""RT Structure Sets: contours that give back the voxels, and contours as others draw them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest

import ivos
from ivos.errors import InputError
from ivos.io.dicom.pseudonyms import Pseudonyms
from ivos.io.dicom.rtstruct_read import summarise_rtstruct
from ivos.io.dicom.rtstruct_write import write_rtstruct
from ivos.io.pairs import read_label_layers
from tests.io.dicom.series import CORONAL, OBLIQUE, PATIENT, labelled, referable_series

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


def test_only_contours_on_no_slice_are_left_out(tmp_path: Path, scan: Volume, caplog: pytest.LogCaptureFixture) -> None:
    on, path = square(1.5, 5.5), tmp_path / "rt.dcm"
    off = [[[*corner, index] for corner in square(1.5, 15.5)] for index in (-1, 1.5, 2.4, 4, 9)]
    drawn(
        path, tmp_path, (1, on), *((1, contour) for contour in off), (2, [[*corner, 3] for corner in square(8.5, 9.5)])
    )
    with caplog.at_level(logging.WARNING):
        found = ivos.read_labels(path, scan=scan).array
    assert [int((found == label).sum()) for label in (1, 2)] == [16, 1]
    assert not found[[0, 1]].any()
    (record,) = caplog.records
    assert (
        "'region 1': 2 between slices (z 33 mm, z 34.8 mm), 3 beyond the scan (z 28 mm, z 38 mm, z 48 mm)"
        in record.message
    )
    assert "region 2" not in record.message


SQUARE = square(2.5, 9.5)
TWICE = {
    "as it is": SQUARE,
    "backwards": SQUARE[::-1],
    "from another corner": SQUARE[2:] + SQUARE[:2],
    "closed by its first point": [*SQUARE, SQUARE[0]],
    "with a corner said twice": [SQUARE[0], *SQUARE],
    "rounded": [[y + 0.01, x - 0.01] for y, x in SQUARE],
}


@pytest.mark.parametrize("kind", ["CLOSED_PLANAR", "CLOSEDPLANAR_XOR"])
@pytest.mark.parametrize("how", TWICE)
def test_a_contour_given_twice_counts_once(tmp_path: Path, scan: Volume, how: str, kind: str) -> None:
    drawn(tmp_path / "rt.dcm", tmp_path, (1, SQUARE), (1, TWICE[how]), (1, square(4.5, 6.5)), (1, SQUARE), kind=kind)
    assert ivos.read_labels(tmp_path / "rt.dcm", scan=scan).array.sum() == 7**2 - 2**2


def test_a_hole_that_is_nearly_its_outline_stays_a_hole(tmp_path: Path, scan: Volume) -> None:
    drawn(tmp_path / "rt.dcm", tmp_path, (1, square(2.5, 9.5)), (1, square(2.6, 9.4)))
    assert not ivos.read_labels(tmp_path / "rt.dcm", scan=scan).array.any()


def test_contours_of_a_region_in_several_items_are_all_read(tmp_path: Path, scan: Volume) -> None:
    drawn(tmp_path / "rt.dcm", tmp_path, (1, square(1.5, 3.5)))
    data = pydicom.dcmread(tmp_path / "rt.dcm")
    more = pydicom.Dataset()
    more.ReferencedROINumber, more.ContourSequence = 1, [contour(scan, square(6.5, 9.5), "CLOSED_PLANAR")]
    data.ROIContourSequence.append(more)
    data.save_as(tmp_path / "rt.dcm")
    assert ivos.read_labels(tmp_path / "rt.dcm", scan=scan).array.sum() == 4 + 9


def test_a_line_along_a_row_is_taken_for_the_slice_that_the_others_lie_on(tmp_path: Path, scan: Volume) -> None:
    line: list[list[float]] = [[7, 3, 1], [7, 5, 1], [7, 9, 1]]
    drawn(tmp_path / "rt.dcm", tmp_path, (1, square(1.5, 5.5)), (1, line))
    found = ivos.read_labels(tmp_path / "rt.dcm", scan=scan).array
    assert (found[2].sum(), found[[0, 3]].sum()) == (16, 0)


def test_regions_that_overlap_in_layers(tmp_path: Path, scan: Volume) -> None:
    contours = [(1, square(1.5, 15.5)), (2, square(4.5, 10.5)), (3, square(5.5, 6.5)), (2, square(11.5, 12.5))]
    drawn(tmp_path / "rt.dcm", tmp_path, *contours)
    labels = read_label_layers(tmp_path / "rt.dcm", scan)
    assert len(labels.layers) == 3
    assert {k: int(labels.mask(k).sum()) for k in labels.ids} == {1: 14**2, 2: 6**2 + 1, 3: 1}
    assert labels.names == {n: f"region {n}" for n in (1, 2, 3)}


@pytest.mark.usefixtures("scan")
def test_what_a_file_holds_without_its_scan(tmp_path: Path) -> None:
    drawn(tmp_path / "rt.dcm", tmp_path, (1, square(1.5, 15.5)), (1, [[*c, 3] for c in SQUARE]), (2, SQUARE))
    data = pydicom.dcmread(tmp_path / "rt.dcm")
    empty = pydicom.Dataset()
    empty.ROINumber, empty.ROIName = 7, "couch"
    data.StructureSetROISequence.append(empty)
    data.ROIContourSequence[1].ContourSequence[0].ContourGeometricType = "OPEN_PLANAR"
    data.save_as(tmp_path / "rt.dcm")
    assert [(r.label, r.name, r.pieces, r.slices) for r in summarise_rtstruct(tmp_path / "rt.dcm")] == [
        (1, "region 1", {"CLOSED_PLANAR": 2}, 2),
        (2, "region 2", {"OPEN_PLANAR": 1}, 0),
        (7, "couch", {}, 0),
    ]


def test_what_is_not_of_this_scan_is_refused(tmp_path: Path, scan: Volume) -> None:
    path = tmp_path / "rt.dcm"
    drawn(path, tmp_path, (1, [[*corner, 2.5] for corner in square(1.5, 5.5)]))
    with pytest.raises(InputError, match=r"'region 1' does not lie on a slice.*1 between slices"):
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
