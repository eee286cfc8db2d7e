"""A real series in, DICOM out: readers that are not ours find the same voxels in the same place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

import ivos
from ivos.io.dicom.segments import label_ids, segments_of
from ivos.io.labels import LabelFormat, write_labels
from ivos.volume.volume import on_grid_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.realdata


def test_simple_itk_pydicom_and_ourselves_read_what_was_written(real_data: Path, tmp_path: Path) -> None:
    scan = ivos.read(real_data / "ct_2mm_dicom")
    labels = on_grid_of(ivos.read_labels(real_data / "ct_2mm_dicom_labels.nii.gz"), scan, "labels")
    for form in (LabelFormat.dicom_seg, LabelFormat.rtstruct):
        path = tmp_path / f"{form.value}.dcm"
        write_labels(path, labels, source=real_data / "ct_2mm_dicom", form=form)
        np.testing.assert_array_equal(ivos.read_labels(path, scan=scan).array, labels.array)
    data = pydicom.dcmread(tmp_path / "dicom-seg.dcm")
    ids = label_ids(segments_of(data), None)
    pictures = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "dicom-seg.dcm"), imageIO="GDCMImageIO"))
    np.testing.assert_array_equal(pictures > 0, data.pixel_array > 0)
    x, y, lowest = scan.geometry.origin_mm
    found = np.zeros_like(labels.array)
    for picture, header in zip(pictures, data.PerFrameFunctionalGroupsSequence, strict=True):
        corner = [float(v) for v in header.PlanePositionSequence[0].ImagePositionPatient]
        assert corner[:2] == pytest.approx([x, y], abs=1e-3)
        plane = found[round((corner[2] - lowest) / scan.geometry.spacing_mm[0])]
        plane[picture > 0] = ids[header.SegmentIdentificationSequence[0].ReferencedSegmentNumber]
    np.testing.assert_array_equal(found, labels.array)
