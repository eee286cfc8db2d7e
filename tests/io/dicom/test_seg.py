"""DICOM Segmentation objects: the same voxels in the same place, and names that others understand."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import highdicom as hd
import numpy as np
import pydicom
import pytest

import ivos
from ivos.errors import InputError
from ivos.io.dicom.pseudonyms import Pseudonyms
from ivos.io.dicom.seg_write import write_dicom_seg
from ivos.io.provenance import Manner, Provenance
from tests.io.dicom.series import CORONAL, PATIENT, STORED, labelled, referable_series
from tests.io.grids import write_dicom

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from ivos.volume.volume import Volume


def read_back(path: Path, labels: Volume) -> npt.NDArray[np.uint8]:
    """Segment numbers at the place of every voxel of the labels, through highdicom's own reading."""
    volume = hd.seg.segread(str(path)).get_volume(combine_segments=True)
    wanted = np.argwhere(np.ones(labels.array.shape, bool))
    where = np.rint(volume.map_reference_to_indices(labels.geometry.points_mm(wanted))).astype(int)
    inside = ((where >= 0) & (where < volume.array.shape)).all(axis=1)  # empty slices are left out of the file
    found = np.zeros(len(wanted), np.uint8)
    found[inside] = volume.array[tuple(where[inside].T)]
    return found.reshape(labels.array.shape)


@pytest.mark.parametrize("how", [{}, CORONAL], ids=["axial", "coronal"])
def test_the_same_voxels_in_the_same_place(tmp_path: Path, how: dict[str, Any]) -> None:
    referable_series(tmp_path / "scan", **how)
    labels = labelled(tmp_path / "scan", {3: "liver", 9: "Right Kidney", 200: "strange thing"})
    write_dicom_seg(tmp_path / "seg.dcm", labels, tmp_path / "scan")
    found = read_back(tmp_path / "seg.dcm", labels)
    np.testing.assert_array_equal(found, np.select([labels.array == k for k in (3, 9, 200)], [1, 2, 3]))


def test_names_codes_sides_and_what_it_refers_to(tmp_path: Path) -> None:
    referable_series(tmp_path / "scan")
    labels = labelled(tmp_path / "scan", {1: "liver", 2: "Right Kidney", 7: "strange thing"})
    write_dicom_seg(tmp_path / "seg.dcm", labels, tmp_path / "scan")
    written = pydicom.dcmread(tmp_path / "seg.dcm")
    kinds = [segment.SegmentedPropertyTypeCodeSequence[0] for segment in written.SegmentSequence]
    coded = [(kind.CodingSchemeDesignator, kind.CodeValue, kind.CodeMeaning) for kind in kinds]
    assert coded == [
        ("SCT", "10200004", "Liver"), ("SCT", "64033007", "Kidney"), ("99IVOS", "strange_thing", "strange thing")
    ]  # fmt: skip
    assert kinds[1].SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Right"
    assert [segment.SegmentLabel for segment in written.SegmentSequence] == ["liver", "Right Kidney", "strange thing"]
    slices = [pydicom.dcmread(path) for path in (tmp_path / "scan").iterdir()]
    assert written.StudyInstanceUID == slices[0].StudyInstanceUID
    referred = {
        item.ReferencedSOPInstanceUID for item in written.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    }
    assert referred == {data.SOPInstanceUID for data in slices}


def test_labels_of_a_zip_and_in_another_orientation(tmp_path: Path) -> None:
    referable_series(tmp_path / "scan")
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "scan")
    labels = labelled(tmp_path / "scan", {1: "liver"})
    ivos.write(tmp_path / "labels.nrrd", labels)
    write_dicom_seg(tmp_path / "seg.dcm", ivos.read_labels(tmp_path / "labels.nrrd"), tmp_path.joinpath(packed))
    np.testing.assert_array_equal(read_back(tmp_path / "seg.dcm", labels), labels.array)


def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    referable_series(tmp_path / "scan")
    write_dicom(tmp_path / "nameless", STORED)
    labels = labelled(tmp_path / "scan", {1: "liver"})
    blank = labels.with_array(np.zeros_like(labels.array))
    shifted = labelled_elsewhere(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="nothing is labelled"):
        write_dicom_seg(tmp_path / "seg.dcm", blank, tmp_path / "scan")
    with pytest.raises(InputError, match="have no FrameOfReferenceUID"):
        write_dicom_seg(tmp_path / "seg.dcm", labels, tmp_path / "nameless")
    with pytest.raises(InputError, match="not on the scan's grid"):
        write_dicom_seg(tmp_path / "seg.dcm", shifted, tmp_path / "scan")
    with pytest.raises(InputError, match="no DICOM image series"):
        write_dicom_seg(tmp_path / "seg.dcm", labels, tmp_path / "elsewhere" / "empty")
    assert not (tmp_path / "seg.dcm").exists()


def labelled_elsewhere(folder: Path) -> Volume:
    (folder / "empty").mkdir(parents=True)
    write_dicom(folder / "scan", STORED, step_mm=(0.0, 0.0, 3.0))
    return labelled(folder / "scan", {1: "liver"})


def test_a_rib_a_vertebra_and_a_cyst_of_a_kidney_have_codes(tmp_path: Path) -> None:
    referable_series(tmp_path / "scan")
    names = {1: "rib_left_7", 2: "vertebrae_L5", 3: "kidney_cyst_right", 4: "gluteus_maximus_left"}
    write_dicom_seg(tmp_path / "seg.dcm", labelled(tmp_path / "scan", names), tmp_path / "scan")
    rib, vertebra, cyst, muscle = pydicom.dcmread(tmp_path / "seg.dcm").SegmentSequence
    kind = rib.SegmentedPropertyTypeCodeSequence[0]
    assert (kind.CodeValue, kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning) == ("113197003", "Left")
    assert vertebra.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "L5 vertebra"
    assert cyst.SegmentedPropertyCategoryCodeSequence[0].CodeMeaning == "Morphologically Abnormal Structure"
    region = cyst.AnatomicRegionSequence[0]
    assert (region.CodeMeaning, region.AnatomicRegionModifierSequence[0].CodeMeaning) == ("Kidney", "Right")
    own = muscle.SegmentedPropertyTypeCodeSequence[0]
    assert (own.CodingSchemeDesignator, own.LongCodeValue) == ("99IVOS", "gluteus_maximus_left")


def test_what_drew_it(tmp_path: Path) -> None:
    referable_series(tmp_path / "scan")
    labels = labelled(tmp_path / "scan", {1: "liver"})
    by = Provenance(algorithm="ivos segment, transunet", version="3.1", parameters={"engine": "fast"})
    write_dicom_seg(tmp_path / "a.dcm", labels, tmp_path / "scan", provenance=by)
    write_dicom_seg(tmp_path / "b.dcm", labels, tmp_path / "scan", provenance=Provenance(Manner.manual))
    (segment,) = pydicom.dcmread(tmp_path / "a.dcm").SegmentSequence
    (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
    assert (segment.SegmentAlgorithmType, segment.SegmentAlgorithmName) == ("AUTOMATIC", "ivos segment, transunet")
    assert (algorithm.AlgorithmVersion, "fast" in algorithm.AlgorithmParameters) == ("3.1", True)
    assert pydicom.dcmread(tmp_path / "b.dcm").SegmentSequence[0].SegmentAlgorithmType == "MANUAL"


def test_only_what_dicom_asks_for_is_said_of_the_patient(tmp_path: Path) -> None:
    referable_series(tmp_path / "scan")
    labels = labelled(tmp_path / "scan", {1: "liver"})
    write_dicom_seg(tmp_path / "open.dcm", labels, tmp_path / "scan")
    written = pydicom.dcmread(tmp_path / "open.dcm")
    carried = {keyword: str(written.get(keyword)) for keyword in PATIENT if keyword in written}
    assert carried == {k: v for k, v in PATIENT.items() if k != "PatientComments"}
    write_dicom_seg(tmp_path / "hidden.dcm", labels, tmp_path / "scan", pseudonyms=Pseudonyms(b"k" * 32))
    hidden = pydicom.dcmread(tmp_path / "hidden.dcm")
    assert hidden.PatientID == str(hidden.PatientName).rstrip("^") == Pseudonyms(b"k" * 32).of("\\MRN0815")
    assert hidden.PatientIdentityRemoved == "YES"
    assert hidden.StudyInstanceUID == written.StudyInstanceUID
    content = (tmp_path / "hidden.dcm").read_bytes()
    assert not [v for value in PATIENT.values() for v in value.split("^") if v.encode() in content]


def test_files_that_lost_their_study_are_given_one_always_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    referable_series(tmp_path / "scan")
    for path in (tmp_path / "scan").iterdir():
        data = pydicom.dcmread(path)
        data.StudyInstanceUID = data.SOPInstanceUID = ""  # the instance's is in the file's own header too
        data.save_as(path)
    labels = labelled(tmp_path / "scan", {1: "liver"})
    for name in ("a.dcm", "b.dcm"):
        write_dicom_seg(tmp_path / name, labels, tmp_path / "scan")
    assert "no StudyInstanceUID" in caplog.text
    one, other = (pydicom.dcmread(tmp_path / name) for name in ("a.dcm", "b.dcm"))
    assert one.StudyInstanceUID == other.StudyInstanceUID
    assert one.SOPInstanceUID != other.SOPInstanceUID


def test_a_name_in_any_script_and_dates_that_are_none_pass_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    referable_series(tmp_path / "scan")
    for path in (tmp_path / "scan").iterdir():
        data = pydicom.dcmread(path)
        data.SpecificCharacterSet = "ISO_IR 100"
        data.PatientName = "Müßig"  # one word: not a name to some libraries, which say so
        data["PatientBirthDate"]._value = "around 1956"
        data.save_as(path)
    write_dicom_seg(tmp_path / "a.dcm", labelled(tmp_path / "scan", {1: "肝臓"}), tmp_path / "scan")
    written = pydicom.dcmread(tmp_path / "a.dcm")
    assert (written.PatientName, written.SegmentSequence[0].SegmentLabel) == ("Müßig", "肝臓")
    assert "Müßig" not in caplog.text + str(capfd.readouterr())
