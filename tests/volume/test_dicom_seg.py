"""DICOM Segmentation objects: the same voxels in the same place, and names that others understand."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

import ivos
from ivos.errors import InputError
from ivos.volume.dicom_seg import write_dicom_seg
from tests.volume.grids import write_dicom

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from ivos.volume.volume import Volume

STORED = np.random.default_rng(1).integers(0, 3000, (5, 6, 7)).astype(np.uint16)
CORONAL: dict[str, Any] = {"orientation": (1, 0, 0, 0, 0, -1), "step_mm": (0.0, 2.0, 0.0)}


def referable_series(folder: Path, **how: Any) -> None:
    """A series with what its study's other objects refer to it by."""
    study, frame = generate_uid(), generate_uid()
    for path in write_dicom(folder, STORED, **how):
        data = pydicom.dcmread(path)
        data.StudyInstanceUID, data.FrameOfReferenceUID = study, frame
        data.save_as(path)


def labelled(folder: Path, names: dict[int, str]) -> Volume:
    scan = ivos.read(folder)
    array = np.random.default_rng(2).choice([0, *names], scan.array.shape).astype(np.uint8)
    return scan.with_array(array, names)


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
        ("SCT", "10200004", "Liver"), ("SCT", "64033007", "Kidney"), ("99IVOS", "label-7", "strange thing")
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
    with pytest.raises(InputError, match="have no StudyInstanceUID, FrameOfReferenceUID"):
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
