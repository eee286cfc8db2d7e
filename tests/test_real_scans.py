"""The main job on real scans: a DICOM series whose labels are flipped against it, and a 3 mm CT."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import SimpleITK as sitk

import ivos
from ivos.metrics.overlap import dsc
from ivos.volume.volume import on_grid_of
from tests.cli.runner import ivos as run

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.volume.volume import Volume

pytestmark = pytest.mark.realdata

PAIRS = [
    ("ct_2mm_dicom", "ct_2mm_dicom_labels.nii.gz"),
    ("ct_3mm_30slices.nii.gz", "ct_3mm_30slices_labels.nii.gz"),
]
LARGE = [1, 2, 5]  # spleen, right kidney, liver: large enough to be followed without any training


def drawn(labels: Volume, count: int) -> Volume:
    """The middle slices of thirds (or the middle one) of the stack, large organs alone."""
    array = np.zeros_like(labels.array)
    for index in (np.arange(count) + 0.5) / count * len(array):
        array[int(index)] = np.where(np.isin(labels.array[int(index)], LARGE), labels.array[int(index)], 0)
    return labels.with_array(array, labels.names)


@pytest.mark.parametrize(("scan_name", "labels_name"), PAIRS)
@pytest.mark.parametrize("count", [1, 3])
def test_drawn_slices_to_labels_in_the_scans_own_geometry(
    real_data: Path, tmp_path: Path, scan_name: str, labels_name: str, count: int
) -> None:
    scan = ivos.read(real_data / scan_name)
    labels = on_grid_of(ivos.read_labels(real_data / labels_name), scan, labels_name)
    slices = drawn(labels, count)
    ivos.write(tmp_path / "slices.nii.gz", slices)
    out = tmp_path / "out.nii.gz"
    done = run("propagate", real_data / scan_name, "--annotations", tmp_path / "slices.nii.gz", "-o", out)
    assert done.returncode == 0, done.stderr
    written = sitk.ReadImage(str(out))
    assert written.GetSize() == tuple(reversed(scan.source.shape))
    np.testing.assert_allclose(written.GetSpacing(), tuple(reversed(scan.source.spacing_mm)), rtol=1e-6)
    np.testing.assert_allclose(written.GetOrigin(), scan.source.origin_mm, atol=1e-3)
    result = ivos.read_labels(out)
    for index in np.flatnonzero(slices.array.any(axis=(1, 2))):
        for structure in np.unique(slices.array[index])[1:]:
            np.testing.assert_array_equal(result.array[index] == structure, slices.array[index] == structure)
    found = {k: dsc(result.array == k, labels.array == k) for k in LARGE if (slices.array == k).any()}
    assert np.mean(list(found.values())) > 0.75, found


def test_flipping_a_scan_changes_nothing(real_data: Path, tmp_path: Path) -> None:
    """Labels computed from a scan stored in another axis order are the same at every point of the patient."""
    scan_path, labels_path = (real_data / name for name in PAIRS[1])
    scan = ivos.read(scan_path)
    slices = drawn(on_grid_of(ivos.read_labels(labels_path), scan, "labels"), 3)
    sitk.WriteImage(sitk.DICOMOrient(sitk.ReadImage(str(scan_path)), "SRA"), str(tmp_path / "other.nrrd"))
    straight = ivos.propagate(scan, slices).labels
    turned = ivos.propagate(ivos.read(tmp_path / "other.nrrd"), slices).labels
    assert turned.source != straight.source
    np.testing.assert_array_equal(turned.array, straight.array)


def test_info_reads_names_from_the_file(real_data: Path) -> None:
    labels = json.loads(run("info", real_data / PAIRS[0][1], "--json").stdout)["labels"]
    assert len(labels) == 31
    assert all(row["name"] for row in labels)
    assert {"liver", "costal_cartilages"} < {row["name"] for row in labels}
