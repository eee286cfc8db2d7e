"""DICOM Segmentations as label volumes: our own and others', each voxel where the header says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

import ivos
from ivos.errors import InputError
from ivos.io.dicom.seg_read import summarise_dicom_seg
from ivos.io.dicom.seg_write import write_dicom_seg
from ivos.io.dicom.source import read_source
from ivos.io.pairs import read_label_layers
from ivos.volume.geometry import Geometry
from ivos.volume.volume import Volume
from tests.io.dicom.series import CORONAL, OBLIQUE, STORED, labelled, referable_series

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

NAMES = {3: "liver", 9: "Right Kidney", 200: "strange thing"}


def others_file(
    path: Path, scan: Path, kind: str, pixels: npt.NDArray[Any], names: Sequence[str] = ("Liver", "Segment_2")
) -> None:
    """As another program would write it: no notes of ivos; the last segment is a spleen, whatever its name."""
    described = [
        hd.seg.SegmentDescription(
            number,
            name,
            codes.SCT.AnatomicalStructure,
            codes.SCT.Spleen if number == len(names) else codes.SCT.Liver,
            hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for number, name in enumerate(names, start=1)
    ]
    hd.seg.Segmentation(
        read_source(scan).slices, pixels, kind, described, hd.UID(), 1, hd.UID(), 1, "other", "other", "1", "0",
        max_fractional_value=200,
    ).save_as(path)  # fmt: skip


@pytest.mark.parametrize("how", [{}, CORONAL, OBLIQUE], ids=["axial", "coronal", "oblique"])
def test_what_was_written_comes_back_with_ids_and_names(tmp_path: Path, how: dict[str, Any]) -> None:
    referable_series(tmp_path / "scan", **how)
    labels = labelled(tmp_path / "scan", NAMES)
    write_dicom_seg(tmp_path / "seg.dcm", labels, tmp_path / "scan")
    for found in (
        ivos.read_labels(tmp_path / "seg.dcm", scan=ivos.read(tmp_path / "scan")),
        ivos.read_labels(tmp_path / "seg.dcm"),
    ):
        np.testing.assert_array_equal(found.array, labels.array)
        np.testing.assert_allclose(found.geometry.points_mm([[1, 2, 3]]), labels.geometry.points_mm([[1, 2, 3]]))
        assert found.names == NAMES


def test_every_frame_read_by_its_header_alone_is_the_same(tmp_path: Path) -> None:
    referable_series(tmp_path / "scan", **CORONAL)
    labels = labelled(tmp_path / "scan", NAMES)
    write_dicom_seg(tmp_path / "seg.dcm", labels, tmp_path / "scan")
    data = pydicom.dcmread(tmp_path / "seg.dcm")
    shared, found = data.SharedFunctionalGroupsSequence[0], set()
    for pixels, own in zip(data.pixel_array, data.PerFrameFunctionalGroupsSequence, strict=True):
        directions = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
        down, across = (float(v) for v in shared.PixelMeasuresSequence[0].PixelSpacing)
        corner = np.array(own.PlanePositionSequence[0].ImagePositionPatient, float)
        number = own.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        for row, column in np.argwhere(pixels):
            point = corner + column * across * directions[:3] + row * down * directions[3:]
            found.add((number, *np.round(point, 3) + 0.0))
    expected = {
        (number, *np.round(point, 3) + 0.0)
        for number, label in enumerate(NAMES, start=1)
        for point in labels.geometry.points_mm(np.argwhere(labels.array == label))
    }
    assert found == expected


def few_slices(labels: Volume, kept: Sequence[int]) -> Volume:
    array = np.zeros_like(labels.array)
    array[list(kept)] = labels.array[list(kept)]
    return labels.with_array(array, labels.names)


@pytest.mark.parametrize("kept", [(3,), (0, 3, 4)])
def test_frames_on_some_slices_find_their_place(tmp_path: Path, kept: tuple[int, ...]) -> None:
    referable_series(tmp_path / "scan")
    labels = few_slices(labelled(tmp_path / "scan", {1: "liver"}), kept)
    write_dicom_seg(tmp_path / "seg.dcm", labels, tmp_path / "scan")
    ivos.write(tmp_path / "scan.nrrd", ivos.read(tmp_path / "scan"))
    for scan in (tmp_path / "scan", tmp_path / "scan.nrrd"):  # the second has no frame of reference
        found = ivos.read_labels(tmp_path / "seg.dcm", scan=ivos.read(scan))
        np.testing.assert_array_equal(found.array, labels.array)
    if len(kept) == 1:
        with pytest.raises(InputError, match="one slice; give the scan"):
            ivos.read_labels(tmp_path / "seg.dcm")


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_files_of_other_programs(tmp_path: Path, kind: str) -> None:
    referable_series(tmp_path / "scan")
    scan = ivos.read(tmp_path / "scan")
    wanted = np.random.default_rng(5).choice(3, STORED.shape).astype(np.uint8)
    pixels: npt.NDArray[Any] = wanted
    if kind == "FRACTIONAL":
        pixels = np.stack([wanted == 1, wanted == 2], axis=-1) * 0.4 + 0.3  # 0.7 is in, 0.3 is not
    others_file(tmp_path / "seg.dcm", tmp_path / "scan", kind, pixels)
    found = ivos.read_labels(tmp_path / "seg.dcm", scan=scan)
    np.testing.assert_array_equal(found.array, wanted)
    assert found.names == {1: "Liver", 2: "Segment_2"}
    named = ivos.read_labels(tmp_path / "seg.dcm", scan=scan, names={7: "spleen", 8: "liver", 9: "aorta"})
    np.testing.assert_array_equal(named.array, np.array([0, 8, 7])[wanted])


def test_segments_that_overlap_are_refused_but_not_where_one_is_chosen(tmp_path: Path) -> None:
    referable_series(tmp_path / "scan")
    pixels = np.stack([np.ones(STORED.shape, np.uint8), (STORED > 1500).astype(np.uint8)], axis=-1)
    others_file(tmp_path / "seg.dcm", tmp_path / "scan", "BINARY", pixels, ["body", "organ"])
    scan = ivos.read(tmp_path / "scan")
    with pytest.raises(InputError, match=r"'body' \(1\) and 'organ' \(2\) overlap.*--structures"):
        ivos.read_labels(tmp_path / "seg.dcm", scan=scan)
    found = ivos.read_labels(tmp_path / "seg.dcm", scan=scan, structures=[2])
    np.testing.assert_array_equal(found.array > 0, STORED > 1500)


def test_segments_that_overlap_in_layers(tmp_path: Path) -> None:
    referable_series(tmp_path / "scan")
    masks = [STORED > 0, STORED > 1000, STORED > 2000, STORED < 500]
    names = ["body", "organ", "lesion", "air"]
    others_file(tmp_path / "seg.dcm", tmp_path / "scan", "BINARY", np.stack(masks, axis=-1).astype(np.uint8), names)
    for scan in (None, ivos.read(tmp_path / "scan")):
        labels = read_label_layers(tmp_path / "seg.dcm", scan)
        for number, mask in enumerate(masks, start=1):
            np.testing.assert_array_equal(labels.mask(number), mask)
        assert labels.names == dict(enumerate(names, start=1))
    assert [(s.name, s.slices) for s in summarise_dicom_seg(tmp_path / "seg.dcm")] == [(name, 5) for name in names]


def test_what_belongs_to_another_scan_is_refused(tmp_path: Path) -> None:
    referable_series(tmp_path / "scan")
    referable_series(tmp_path / "other")
    write_dicom_seg(tmp_path / "seg.dcm", labelled(tmp_path / "scan", {1: "liver"}), tmp_path / "scan")
    scan = ivos.read(tmp_path / "scan")
    with pytest.raises(InputError, match="frame of reference of another scan") as caught:
        ivos.read_labels(tmp_path / "seg.dcm", scan=ivos.read(tmp_path / "other"))
    assert "\n" not in str(caught.value)
    shifted = Volume.from_array(scan.array, Geometry((5, 6, 7), (2.0, 0.8, 0.7), (10.3, 20.0, 30.0)))
    with pytest.raises(InputError, match=r"does not lie on the scan's slices: corners are up to 0\.3 mm apart"):
        ivos.read_labels(tmp_path / "seg.dcm", scan=shifted)
    cut = Volume.from_array(scan.array[1:], Geometry((4, 6, 7), (2.0, 0.8, 0.7), (10.0, 20.0, 32.0)))
    with pytest.raises(InputError, match="partly outside the scan"):
        ivos.read_labels(tmp_path / "seg.dcm", scan=cut)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    referable_series(tmp_path / "scan")
    path = tmp_path / "seg.dcm"
    write_dicom_seg(path, labelled(tmp_path / "scan", {1: "liver"}), tmp_path / "scan")
    whole, data = path.read_bytes(), pydicom.dcmread(path)
    path.write_bytes(whole[:-12])
    with pytest.raises(InputError, match="truncated"):
        ivos.read_labels(path)
    del data.PerFrameFunctionalGroupsSequence
    data.SOPInstanceUID = generate_uid()
    data.save_as(path)
    with pytest.raises(InputError, match="not a DICOM Segmentation with frames in space"):
        ivos.read_labels(path)
