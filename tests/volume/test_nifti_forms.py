"""Where NIfTI headers put voxels: read by one rule, written as they were, and met by labels of other programs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

import ivos
from ivos.errors import InputError
from ivos.volume.volume import on_grid_of
from tests.io.grids import AXIS_ORDERS, rotation

if TYPE_CHECKING:
    import numpy.typing as npt

    Affine = npt.NDArray[np.float64]

SHAPE = (5, 6, 7)  # x, y, z
VOXELS = np.random.default_rng(0).integers(-1000, 1000, SHAPE).astype(np.int16)
LABELS = (np.arange(VOXELS.size) % 5).reshape(SHAPE).astype(np.uint8)  # turned any way, it is another array
FIELDS = ["sform_code", "srow_x", "srow_y", "srow_z", "qform_code", "quatern_b", "quatern_c", "quatern_d"]
FIELDS += ["qoffset_x", "qoffset_y", "qoffset_z", "pixdim", "xyzt_units"]


def affine(
    angles: tuple[float, float, float] = (0.1, 0.2, -0.3),
    spacing: tuple[float, float, float] = (0.7, 0.8, 2.5),
    origin: tuple[float, float, float] = (10.0, -20.0, 30.0),
    order: int = 0,
) -> Affine:
    whole = np.eye(4)
    whole[:3, :3] = rotation(angles) @ AXIS_ORDERS[order] * spacing
    whole[:3, 3] = origin
    return whole


def sheared(share: float, **grid: Any) -> Affine:
    whole = affine(**grid)
    whole[:3, 2] += share * 2.5 / 0.7 * whole[:3, 0]
    return whole


def save(
    path: Path,
    sform: Affine | None,
    qform: Affine | None = None,
    codes: tuple[int, int] = (1, 1),
    *,
    array: npt.NDArray[Any] = VOXELS,
    unit: str = "mm",
    pixdim: tuple[float, float, float] | None = None,
    kind: Any = nib.Nifti1Image,
) -> Path:
    image = kind(array, None)
    image.header.set_zooms((0.7, 0.8, 2.5, *[1.0] * (array.ndim - 3)))
    if sform is not None:
        image.header.set_sform(sform, codes[0])
    if qform is not None:
        image.header.set_qform(qform, codes[1])
    if pixdim is not None:
        image.header["pixdim"][1:4] = pixdim
    image.header.set_xyzt_units(unit)
    nib.save(image, path)
    return path


def labels_for(scan: Path) -> Path:
    """Labels of the scan, known in its file's order, written by ivos."""
    volume = ivos.read(scan)
    there = ivos.Volume.from_array(LABELS.T, volume.source).array
    ivos.write(scan.with_name("labels.nii.gz"), volume.with_array(there, {1: "liver"}))
    return scan.with_name("labels.nii.gz")


def itk_affine(path: Path) -> Affine:
    image = sitk.ReadImage(str(path))
    found = np.eye(4)
    found[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    found[:3, 3] = image.GetOrigin()
    return found


def assert_as_the_scan(scan: Path) -> None:
    """The labels' header says what the scan's does, for every reader, and their voxels are where they were put."""
    labels = labels_for(scan)
    here, there = nib.load(scan), nib.load(labels)
    for field in FIELDS:
        np.testing.assert_array_equal(there.header[field].ravel()[:4], here.header[field].ravel()[:4], err_msg=field)
    np.testing.assert_array_equal(there.affine, here.affine)
    np.testing.assert_array_equal(np.asarray(there.dataobj), LABELS)
    np.testing.assert_allclose(itk_affine(labels), itk_affine(scan), atol=1e-6)
    again = ivos.read_labels(labels)
    assert again.names == {1: "liver"}
    assert_accepted(scan, again)


def assert_accepted(scan: Path, labels: Path | ivos.Volume) -> None:
    """Labels on the scan's voxels fit the scan, each on its own voxel."""
    volume = ivos.read(scan)
    there = ivos.read_labels(labels) if not isinstance(labels, ivos.Volume) else labels
    found = on_grid_of(there, volume, "labels")
    np.testing.assert_array_equal(found.source_array(), LABELS.T)


def by_nibabel(scan: Path, name: str = "nibabel.nii.gz", *, keep_header: bool = False) -> Path:
    image = nib.load(scan)
    header = image.header.copy() if keep_header else None
    if header is not None:
        header.set_data_dtype(np.uint8)
    nib.save(nib.Nifti1Image(LABELS, image.affine, header), scan.with_name(name))
    return scan.with_name(name)


def by_itk(scan: Path, suffix: str) -> Path:
    image = sitk.GetImageFromArray(LABELS.T)
    image.CopyInformation(sitk.ReadImage(str(scan)))
    sitk.WriteImage(image, str(scan.with_name(f"itk{suffix}")))
    return scan.with_name(f"itk{suffix}")


def assert_all_accepted(scan: Path) -> None:
    assert_accepted(scan, by_nibabel(scan))
    assert_accepted(scan, by_nibabel(scan, keep_header=True))
    for suffix in (".nii.gz", ".nrrd", ".mha"):
        assert_accepted(scan, by_itk(scan, suffix))


@pytest.mark.parametrize("order", range(0, 48, 11))
@pytest.mark.parametrize("codes", [(1, 1), (2, 1), (1, 0), (0, 1), (4, 2), (0, 0)])
def test_labels_carry_the_forms_of_the_scan(tmp_path: Path, order: int, codes: tuple[int, int]) -> None:
    one, other = affine(order=order), affine((0.4, -0.2, 0.3), origin=(-5, 6, 70), order=47 - order)
    scan = save(tmp_path / "scan.nii.gz", one, other, codes)
    assert_as_the_scan(scan)
    assert_all_accepted(scan)


@pytest.mark.parametrize("order", range(48))
def test_every_axis_order_in_other_programs(tmp_path: Path, order: int) -> None:
    scan = save(tmp_path / "scan.nii", affine(order=order), affine(order=order))
    assert_as_the_scan(scan)
    assert_accepted(scan, by_nibabel(scan))
    assert_accepted(scan, by_itk(scan, ".nrrd"))


@settings(max_examples=8, deadline=None)
@given(angles=st.tuples(*[st.floats(-3.1, 3.1)] * 3), order=st.sampled_from(range(48)), code=st.integers(1, 4))
def test_oblique_forms(angles: tuple[float, float, float], order: int, code: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        grid = affine(angles, order=order)
        scan = save(Path(folder) / "scan.nii.gz", grid, grid, (code, 1))
        assert_as_the_scan(scan)
        assert_all_accepted(scan)
        np.testing.assert_allclose(points(ivos.read(scan)), points_of(grid), atol=1e-3)


def points(volume: ivos.Volume) -> npt.NDArray[np.float64]:
    """RAS+ points of the corners in the file's order."""
    corners = [(z, y, x) for z in (0, SHAPE[2] - 1) for y in (0, SHAPE[1] - 1) for x in (0, SHAPE[0] - 1)]
    return volume.source.points_mm(corners) * (-1, -1, 1)


def points_of(grid: Affine) -> npt.NDArray[np.float64]:
    corners = [(x, y, z, 1) for z in (0, SHAPE[2] - 1) for y in (0, SHAPE[1] - 1) for x in (0, SHAPE[0] - 1)]
    found: npt.NDArray[np.float64] = (grid @ np.array(corners).T)[:3].T
    return found


@pytest.mark.parametrize("codes", [(s, q) for s in range(6) for q in range(6)])
def test_the_sform_is_read_where_it_has_a_code(tmp_path: Path, codes: tuple[int, int]) -> None:
    one, other = affine(), affine((0.4, -0.2, 0.3), origin=(-5, 6, 70))
    volume = ivos.read(save(tmp_path / "scan.nii", one, other, codes))
    by_pixdim = np.diag([-0.7, -0.8, 2.5, 1.0])
    wanted = {(False, False): by_pixdim, (False, True): other}.get((codes[0] > 0, codes[1] > 0), one)
    np.testing.assert_allclose(points(volume), points_of(wanted), atol=1e-4)


def test_labels_on_neither_form_are_refused(tmp_path: Path) -> None:
    scan = save(tmp_path / "scan.nii", affine(), affine((0.4, -0.2, 0.3)), (2, 1))
    for number, off in enumerate((affine(origin=(11, -20, 30)), affine((0.5, -0.2, 0.3)))):
        labels = save(tmp_path / f"{number}.nii", off, off, array=LABELS)
        with pytest.raises(InputError, match="not on the scan's grid: corners"):
            on_grid_of(ivos.read_labels(labels), ivos.read(scan), "labels")


def test_forms_that_turn_labels_differently(tmp_path: Path) -> None:
    """One form runs to the left, the other to the right, over the same points: labels with one form are a riddle."""
    left, right = np.diag([-1.0, 1, 2, 1]), np.diag([1.0, 1, 2, 1])
    left[0, 3], right[0, 3] = 2.0, -2.0
    scan = save(tmp_path / "scan.nii", left, right, (2, 1))
    assert_as_the_scan(scan)
    assert_accepted(scan, by_nibabel(scan, keep_header=True))
    one = save(tmp_path / "one.nii", right, None, array=LABELS)
    with pytest.raises(InputError, match="turn these labels differently"):
        on_grid_of(ivos.read_labels(one), ivos.read(scan), "one.nii")


@pytest.mark.parametrize("qform_code", [0, 1])
@pytest.mark.parametrize("degrees", [0.25, 1.0, 15.0])
def test_a_sheared_sform_is_refused_whatever_the_qform(tmp_path: Path, degrees: float, qform_code: int) -> None:
    for angles in ((0.0, 0.0, 0.0), (0.2, 0.1, 0.4)):
        grid = sheared(np.tan(np.radians(degrees)), angles=angles)
        scan = save(tmp_path / "scan.nii.gz", grid, affine(angles), (1, qform_code))
        with pytest.raises(InputError, match="gantry tilt or shear"):
            ivos.read(scan)


@pytest.mark.parametrize("qform_code", [0, 1])
@pytest.mark.parametrize("degrees", [0.005, 0.05, 0.19])
def test_slight_shear_opens(tmp_path: Path, degrees: float, qform_code: int) -> None:
    grid = sheared(np.tan(np.radians(degrees)))
    scan = save(tmp_path / "scan.nii.gz", grid, affine(), (1, qform_code))
    volume = ivos.read(scan)
    axes = np.array(volume.geometry.axes)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(points(volume), points_of(grid), atol=0.03)
    np.testing.assert_allclose(points(volume).mean(0), points_of(grid).mean(0), atol=1e-4)
    assert_accepted(scan, labels_for(scan))
    assert_accepted(scan, by_nibabel(scan))
    if qform_code:  # without it, ITK does not open a sheared file
        assert_as_the_scan(scan)
        assert_all_accepted(scan)


@pytest.mark.parametrize("decimals", [3, 4, 5])
@pytest.mark.parametrize("qform_code", [0, 1])
def test_a_rounded_sform_opens(tmp_path: Path, decimals: int, qform_code: int) -> None:
    for order in range(0, 48, 7):
        grid = affine((0.2, 0.12, 0.4), order=order)
        grid[:3, :3] = np.round(grid[:3, :3], decimals)
        scan = save(tmp_path / "scan.nii.gz", grid, affine((0.2, 0.12, 0.4), order=order), (1, qform_code))
        assert_accepted(scan, labels_for(scan))
        assert_accepted(scan, by_nibabel(scan))


@pytest.mark.parametrize("codes", [(1, 0), (1, 1), (2, 1)])
def test_the_sform_has_the_scale_where_pixdim_contradicts(tmp_path: Path, codes: tuple[int, int]) -> None:
    scan = save(tmp_path / "scan.nii.gz", affine(), affine(), codes, pixdim=(1.4, 1.6, 5.0))
    np.testing.assert_allclose(ivos.read(scan).geometry.spacing_mm, (2.5, 0.8, 0.7), rtol=1e-5)
    assert_as_the_scan(scan)
    assert_all_accepted(scan)


@pytest.mark.parametrize(("unit", "mm"), [("micron", 0.001), ("meter", 1000.0), ("mm", 1.0), ("unknown", 1.0)])
@pytest.mark.parametrize("codes", [(1, 1), (1, 0), (0, 1), (2, 1), (0, 0)])
def test_units(tmp_path: Path, unit: str, mm: float, codes: tuple[int, int]) -> None:
    scan = save(tmp_path / "scan.nii.gz", affine(), affine(), codes, unit=unit)
    np.testing.assert_allclose(ivos.read(scan).source.spacing_mm, (2.5 * mm, 0.8 * mm, 0.7 * mm), rtol=1e-5)
    assert_as_the_scan(scan)
    assert_all_accepted(scan)
    assert nib.load(by_nibabel(scan)).header.get_xyzt_units()[0] in ("unknown", "mm")


def test_one_time_point_and_version_2(tmp_path: Path) -> None:
    scan = save(tmp_path / "scan.nii.gz", affine(), affine(), (2, 1), array=VOXELS[..., None], kind=nib.Nifti2Image)
    np.testing.assert_array_equal(ivos.read(scan).source_array(), VOXELS.T)
    assert nib.load(labels_for(scan)).shape == SHAPE
    assert_accepted(scan, by_nibabel(scan))


@pytest.mark.parametrize("bad", [np.zeros((4, 4)), np.full((4, 4), np.nan), np.diag([1.0, 0, 1, 1])])
def test_an_sform_that_is_no_grid(tmp_path: Path, bad: Affine) -> None:
    scan = save(tmp_path / "scan.nii", affine(), affine())
    content = bytearray(scan.read_bytes())
    content[280:328] = bad[:3].astype("<f4").tobytes()
    scan.write_bytes(content)
    with pytest.raises(InputError, match="its sform places no grid of voxels"):
        ivos.read(scan)


def test_labels_of_a_dicom_or_nrrd_scan_lie_there_in_every_program(tmp_path: Path) -> None:
    for order in range(48):
        image = sitk.GetImageFromArray(VOXELS.T)
        image.SetSpacing((0.7, 0.8, 2.5))
        image.SetOrigin((-12.5, 30.0, 410.0))
        image.SetDirection((rotation((0.1, 0.3, -0.2)) @ AXIS_ORDERS[order]).ravel().tolist())
        sitk.WriteImage(image, str(tmp_path / "scan.nrrd"))
        labels = labels_for(tmp_path / "scan.nrrd")
        there = nib.load(labels)
        assert (int(there.header["sform_code"]), int(there.header["qform_code"])) == (1, 1)
        np.testing.assert_allclose(there.get_qform(), there.get_sform(), atol=1e-4)
        np.testing.assert_allclose(itk_affine(labels), itk_affine(tmp_path / "scan.nrrd"), atol=1e-4)
        np.testing.assert_array_equal(np.asarray(there.dataobj), LABELS)


def test_a_cropped_segmentation_of_slicer_lies_by_the_qform(tmp_path: Path) -> None:
    scan = save(tmp_path / "scan.nii.gz", affine(), affine((0.4, -0.2, 0.3), origin=(-5, 6, 70)), (2, 1))
    image = sitk.GetImageFromArray(LABELS.T)
    image.CopyInformation(sitk.ReadImage(str(scan)))  # as Slicer reads it
    cropped = image[1:4, 2:6, 1:5]
    cropped.SetMetaData("Segment0_ID", "Segment_1")
    cropped.SetMetaData("Segment0_LabelValue", "1")
    cropped.SetMetaData("Segment0_Layer", "0")
    cropped.SetMetaData("Segment0_Name", "one")
    sitk.WriteImage(cropped, str(tmp_path / "labels.seg.nrrd"))
    found = on_grid_of(ivos.read_labels(tmp_path / "labels.seg.nrrd"), ivos.read(scan), "labels")
    expected = np.zeros_like(LABELS)
    expected[1:4, 2:6, 1:5] = LABELS[1:4, 2:6, 1:5]
    np.testing.assert_array_equal(found.source_array(), expected.T)


def test_a_session_keeps_the_forms_without_its_scan(tmp_path: Path) -> None:
    scan = save(tmp_path / "scan.nii.gz", affine(), affine((0.4, -0.2, 0.3)), (2, 1), unit="micron")
    session = ivos.InteractiveSession(ivos.read(scan))
    session.load_labels(ivos.read_labels(by_nibabel(scan)))
    session.save(tmp_path / "work.ivos")
    ivos.write(tmp_path / "labels.nii.gz", ivos.InteractiveSession.load(tmp_path / "work.ivos").labels)
    labels = nib.load(tmp_path / "labels.nii.gz")
    for field in FIELDS:
        np.testing.assert_array_equal(labels.header[field], nib.load(scan).header[field], err_msg=field)
    np.testing.assert_array_equal(np.asarray(labels.dataobj), LABELS)
