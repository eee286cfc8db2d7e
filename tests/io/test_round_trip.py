"""Files through volumes and back: the same voxels on the same grid."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

import ivos
from ivos.types import Axis
from ivos.volume.geometry import displacement_mm
from tests.io.grids import AXIS_ORDERS, image_of, rotation
from tests.propagation.scenes import volume_of

SHAPE = (3, 4, 5)


def numbered(dtype: Any = np.int16) -> npt.NDArray[Any]:
    return np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(dtype)


def round_trip(folder: Path, direction: npt.NDArray[np.float64], suffix: str) -> tuple[sitk.Image, sitk.Image]:
    before = image_of(numbered(), direction)
    sitk.WriteImage(before, str(folder / f"in{suffix}"))
    before = sitk.ReadImage(str(folder / f"in{suffix}"))
    ivos.write(folder / f"out{suffix}", ivos.read(folder / f"in{suffix}"))
    return before, sitk.ReadImage(str(folder / f"out{suffix}"))


def assert_same(before: sitk.Image, after: sitk.Image) -> None:
    assert after.GetSize() == before.GetSize()
    np.testing.assert_allclose(after.GetSpacing(), before.GetSpacing(), atol=1e-5)
    np.testing.assert_allclose(after.GetOrigin(), before.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(after.GetDirection(), before.GetDirection(), atol=1e-5)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(after), sitk.GetArrayFromImage(before))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_every_axis_order_returns_to_its_own_grid(tmp_path: Path, suffix: str) -> None:
    assert len(AXIS_ORDERS) == 48
    for direction in AXIS_ORDERS:
        assert_same(*round_trip(tmp_path, direction, suffix))


@settings(max_examples=60, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-3.1, 3.1)] * 3),
    order=st.sampled_from(range(48)),
    suffix=st.sampled_from([".nii.gz", ".nrrd", ".mha"]),
)
def test_oblique_directions_return_to_their_own_grid(
    angles: tuple[float, float, float], order: int, suffix: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert_same(*round_trip(Path(folder), rotation(angles) @ AXIS_ORDERS[order], suffix))


@pytest.mark.parametrize("order", range(48))
def test_inside_all_orders_look_the_same(tmp_path: Path, order: int) -> None:
    """The same patient stored in any axis order gives one array, indexed upwards, backwards, leftwards."""
    upright = image_of(numbered(), np.eye(3))
    points = {}
    for z, y, x in np.ndindex(SHAPE):
        points[tuple(np.round(upright.TransformIndexToPhysicalPoint((x, y, z)), 3))] = upright[x, y, z]
    direction = AXIS_ORDERS[order]
    wanted = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(direction.ravel().tolist())
    stored = sitk.DICOMOrient(upright, wanted)
    sitk.WriteImage(stored, str(tmp_path / "a.nrrd"))
    volume = ivos.read(tmp_path / "a.nrrd")
    np.testing.assert_array_equal(volume.array, numbered())
    np.testing.assert_allclose(volume.geometry.spacing_mm, (2.5, 0.8, 0.7))
    for index, value in np.ndenumerate(volume.array):
        assert points[tuple(np.round(volume.geometry.points_mm([index])[0], 3))] == value


def test_slices_are_named_by_the_files_own_numbers(tmp_path: Path) -> None:
    sitk.WriteImage(image_of(numbered(), np.diag([1.0, 1.0, -1.0])), str(tmp_path / "a.nrrd"))
    volume = ivos.read(tmp_path / "a.nrrd")
    first = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "a.nrrd")))[0]
    np.testing.assert_array_equal(volume.array[volume.source_index(Axis.AXIAL, 0)], first)


def test_rescaled_nifti_is_rescaled_once(tmp_path: Path) -> None:
    path = tmp_path / "a.nii"
    sitk.WriteImage(image_of(numbered()), str(path))
    header = bytearray(path.read_bytes())
    header[112:120] = np.array([2.0, -1024.0], "<f4").tobytes()  # scl_slope, scl_inter
    path.write_bytes(header)
    np.testing.assert_array_equal(np.sort(ivos.read(path).array.ravel()), np.sort(numbered().ravel() * 2.0 - 1024))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_labels_keep_their_ids_whatever_the_stored_type(tmp_path: Path, dtype: type) -> None:
    ids: npt.NDArray[Any] = (numbered() % 7 * 17).astype(dtype)
    sitk.WriteImage(image_of(ids), str(tmp_path / "a.nii.gz"))
    labels = ivos.read_labels(tmp_path / "a.nii.gz")
    assert labels.array.dtype == np.uint8
    np.testing.assert_array_equal(labels.source_array(), ids)


def test_large_label_ids_survive(tmp_path: Path) -> None:
    ids: npt.NDArray[np.uint32] = numbered(np.uint32) * 70_000
    sitk.WriteImage(image_of(ids), str(tmp_path / "a.nrrd"))
    labels = ivos.read_labels(tmp_path / "a.nrrd")
    ivos.write(tmp_path / "b.nrrd", labels)
    np.testing.assert_array_equal(ivos.read_labels(tmp_path / "b.nrrd").array, ids)


@pytest.mark.parametrize("suffix", [".nrrd", ".nii", ".nii.gz"])
def test_names_of_labels_survive(tmp_path: Path, suffix: str) -> None:
    sitk.WriteImage(image_of(numbered(np.uint8) % 3), str(tmp_path / "a.nrrd"))
    labels = ivos.read_labels(tmp_path / "a.nrrd")
    named = labels.with_array(labels.array, {1: "liver", 2: "left kidney & more"})
    ivos.write(tmp_path / f"b{suffix}", named)
    again = ivos.read_labels(tmp_path / f"b{suffix}")
    assert again.names == {1: "liver", 2: "left kidney & more"}
    np.testing.assert_array_equal(again.array, labels.array)
    plain = sitk.ReadImage(str(tmp_path / f"b{suffix}"))  # and other readers see the same voxels
    np.testing.assert_array_equal(sitk.GetArrayFromImage(plain), labels.source_array())


def test_a_gzipped_file_is_not_mistaken_for_its_unpacked_neighbour(tmp_path: Path) -> None:
    sitk.WriteImage(image_of(numbered()), str(tmp_path / "a.nii.gz"))
    sitk.WriteImage(image_of(numbered() + 100), str(tmp_path / "a.nii"))
    assert ivos.read(tmp_path / "a.nii.gz").array.min() == 0
    assert ivos.read(tmp_path / "a.nii").array.min() == 100


def test_geometry_of_a_reoriented_grid_holds_the_same_points(tmp_path: Path) -> None:
    sitk.WriteImage(image_of(numbered(), rotation((0.4, -0.2, 2.0))), str(tmp_path / "a.nrrd"))
    volume = ivos.read(tmp_path / "a.nrrd")
    back = volume.to_source.geometry(volume.geometry)
    assert back.shape == volume.source.shape
    assert displacement_mm(back, volume.source) < 1e-9


def test_the_readme_names_files_by_strings(tmp_path: Path) -> None:
    name = str(tmp_path / "labels.nii.gz")
    labels = volume_of(np.eye(4, dtype=np.uint8)[None].repeat(3, axis=0))
    ivos.write(name, labels)
    np.testing.assert_array_equal(ivos.read_labels(name).array, labels.array)
