"""NIfTI files of every kind: versions, byte orders, packed or not, types of voxel, and where the voxels begin."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import pytest

import ivos
from ivos.errors import InputError
from ivos.volume.geometry import Geometry

if TYPE_CHECKING:
    import numpy.typing as npt

VOXELS = np.random.default_rng(0).integers(-1000, 1000, (5, 6, 7)).astype(np.int16)
AFFINE = np.diag([-0.7, -0.8, 2.5, 1.0])  # as ivos has it inside: nothing is turned
LABELS = (np.arange(VOXELS.size) % 5).reshape(VOXELS.shape).astype(np.uint8)


def save(path: Path, array: npt.NDArray[Any] = VOXELS, kind: Any = nib.Nifti1Image, dtype: Any = None) -> Path:
    image = kind(array, AFFINE, dtype=dtype or array.dtype)
    if dtype is not None:
        image.set_data_dtype(dtype)
    nib.save(image, path)
    return path


def assert_holds(path: Path, array: npt.NDArray[Any] = VOXELS) -> None:
    np.testing.assert_array_equal(ivos.read(path).array, array.T)


def refused(path: Path, *words: str, labels: bool = False) -> None:
    with pytest.raises(InputError) as caught:
        (ivos.read_labels if labels else ivos.read)(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.float32, np.float64]
)
def test_versions_byte_orders_and_types(tmp_path: Path, dtype: type, kind: Any, order: str) -> None:
    array: npt.NDArray[Any] = np.clip(VOXELS, 0, 120).astype(dtype)
    header = kind.header_class(endianness=order)
    header.set_data_dtype(dtype)
    image = kind(array, AFFINE, header)
    for name in ("a.nii", "a.nii.gz"):
        nib.save(image, tmp_path / name)
        volume = ivos.read(tmp_path / name)
        np.testing.assert_array_equal(volume.array, array.T)
        assert volume.array.dtype == dtype
        assert volume.array.dtype.isnative
        np.testing.assert_allclose(volume.geometry.spacing_mm, (2.5, 0.8, 0.7), rtol=1e-6)


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_packed_or_not_goes_by_content(tmp_path: Path, kind: Any) -> None:
    plain, packed = save(tmp_path / "plain.nii", kind=kind), save(tmp_path / "packed.nii.gz", kind=kind)
    plain.rename(tmp_path / "named.nii.gz")
    packed.rename(tmp_path / "named.nii")
    assert_holds(tmp_path / "named.nii.gz")
    assert_holds(tmp_path / "named.nii")


def test_a_gzipped_nii_is_checked_to_its_end(tmp_path: Path) -> None:
    whole = gzip.compress(save(tmp_path / "a.nii").read_bytes(), 0)
    for number in range(1, 9):  # the last bytes are checksum and length
        changed = bytearray(whole)
        changed[-number] ^= 0xFF
        (tmp_path / "b.nii").write_bytes(changed)
        refused(tmp_path / "b.nii", "damaged")
        (tmp_path / "b.nii").write_bytes(whole[:-number])
        refused(tmp_path / "b.nii", "truncated")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_a_voxel_offset_of_0_does_not_shift(tmp_path: Path, kind: Any, packed: bool) -> None:
    content = bytearray(save(tmp_path / "a.nii", kind=kind).read_bytes())
    size = 348 if kind is nib.Nifti1Image else 540
    for begin, gap in ((0, 4), (0, 0), (size, 0)):  # with and without the flag after the header
        changed = bytearray(content)
        place = slice(108, 112) if size == 348 else slice(168, 176)
        changed[place] = np.array(begin, "<f4" if size == 348 else "<i8").tobytes()
        del changed[size : size + 4 - gap]
        path = tmp_path / ("b.nii.gz" if packed else "b.nii")
        path.write_bytes(gzip.compress(changed) if packed else changed)
        assert_holds(path)


@pytest.mark.parametrize("offset", [352, 368, 1024, 70000])
def test_a_voxel_offset_beyond_the_header(tmp_path: Path, offset: int) -> None:
    content = bytearray(save(tmp_path / "a.nii").read_bytes())
    content[108:112] = np.array(offset, "<f4").tobytes()
    path = tmp_path / "b.nii"
    path.write_bytes(content[:352] + bytes(offset - 352) + content[352:])
    assert_holds(path)


@pytest.mark.parametrize("offset", [np.nan, np.inf, -16, 352.5, 1e12])
def test_a_voxel_offset_that_cannot_be(tmp_path: Path, offset: float) -> None:
    path = save(tmp_path / "a.nii")
    content = bytearray(path.read_bytes())
    content[108:112] = np.array(offset, "<f4").tobytes()
    path.write_bytes(content)
    refused(path)


@pytest.mark.parametrize(
    ("code", "word"), [(0, "type 0"), (1, "type 1"), (777, "type 777"), (128, "colour"), (2304, "4")]
)
def test_types_that_are_no_numbers(tmp_path: Path, code: int, word: str) -> None:
    path = save(tmp_path / "a.nii")
    content = bytearray(path.read_bytes())
    content[70:72] = np.array(code, "<i2").tobytes()
    path.write_bytes(content)
    refused(path, word)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((6, 7), "two-dimensional (6 x 7"),
        ((6, 7, 1), "two-dimensional (6 x 7"),
        ((1, 6, 7), "two-dimensional (1 x 6 x 7"),
        ((6, 7, 1, 5), "two-dimensional (6 x 7 x 1 x 5"),
        ((4, 5, 6, 2), "4-dimensional (4 x 5 x 6 x 2)"),
        ((4, 5, 6, 1, 3), "3 values per voxel"),
    ],
)
def test_what_is_not_one_volume(tmp_path: Path, shape: tuple[int, ...], words: str) -> None:
    refused(save(tmp_path / "a.nii.gz", np.ones(shape, np.int16)), words)


@pytest.mark.parametrize("more", [(1,), (1, 1), (1, 1, 1, 1)])
def test_axes_of_one_are_left_out(tmp_path: Path, more: tuple[int, ...]) -> None:
    assert_holds(save(tmp_path / "a.nii.gz", VOXELS.reshape(*VOXELS.shape, *more)))


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.uint16, np.int32])
@pytest.mark.parametrize("ids", [(0, 1, 2, 3, 7), (0, 1, 104, 117), (0, 1, 2, 254, 255), (0, 4, 55, 203)])
def test_labels_that_were_scaled_are_whole(tmp_path: Path, dtype: type, ids: tuple[int, ...]) -> None:
    """nibabel stores a float array of such labels with a slope: 0.99998, or 0.92 in a byte."""
    labels = np.array(ids, np.float64)[LABELS % len(ids)]
    path = save(tmp_path / "a.nii.gz", labels, dtype=dtype)
    found = ivos.read_labels(path)
    np.testing.assert_array_equal(found.array, labels.T)
    assert found.array.dtype == np.min_scalar_type(max(ids))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_labels_that_arithmetic_left_nearly_whole(tmp_path: Path, dtype: type) -> None:
    arithmetic = (LABELS.astype(dtype) * dtype(0.1)) * dtype(10)
    np.testing.assert_array_equal(ivos.read_labels(save(tmp_path / "a.nii", arithmetic)).array, LABELS.T)
    large = LABELS.astype(dtype) * dtype(14175) * (1 + np.finfo(dtype).eps)
    np.testing.assert_array_equal(ivos.read_labels(save(tmp_path / "b.nii", large)).array, LABELS.T * np.uint16(14175))


@pytest.mark.parametrize("value", [0.5, 1.5, 0.99, 1.002, -0.5, -1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_fractions_stay_refused(tmp_path: Path, value: float, dtype: type) -> None:
    labels = LABELS.astype(np.float64)
    labels[1, 2, 3] = value
    words = "0 or more" if value < 0 else "whole numbers"
    refused(save(tmp_path / "a.nii", labels, dtype=dtype), words, "found ", labels=True)


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.5), (2.5, 0.0), (1.0, -1.0)])
def test_coarse_steps_do_not_make_fractions_whole(tmp_path: Path, slope: float, intercept: float) -> None:
    path = save(tmp_path / "a.nii", LABELS)
    content = bytearray(path.read_bytes())
    content[112:120] = np.array([slope, intercept], "<f4").tobytes()
    path.write_bytes(content)
    refused(path, "labels must be", labels=True)


@pytest.mark.parametrize(("slope", "intercept"), [(0.0, 5.0), (np.nan, np.nan), (1.0, 0.0), (np.inf, 0.0)])
def test_a_slope_that_says_nothing(tmp_path: Path, slope: float, intercept: float) -> None:
    path = save(tmp_path / "a.nii")
    content = bytearray(path.read_bytes())
    content[112:120] = np.array([slope, intercept], "<f4").tobytes()
    path.write_bytes(content)
    assert_holds(path)
    assert ivos.read(path).array.dtype == np.int16


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_names_among_other_extensions(tmp_path: Path, kind: Any, order: str) -> None:
    text = b'<CaretExtension><LabelTable><Label Key="1">liver</Label><Label Key="3">spleen</Label></LabelTable>'
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.uint8)
    image = kind(LABELS, AFFINE, header)
    for content in (b"a comment", text + b"</CaretExtension>"):
        image.header.extensions.append(nib.nifti1.Nifti1Extension(0, content))
    nib.save(image, tmp_path / "a.nii.gz")
    labels = ivos.read_labels(tmp_path / "a.nii.gz")
    assert labels.names == {1: "liver", 3: "spleen"}
    np.testing.assert_array_equal(labels.array, LABELS.T)


def test_other_programs_see_names_and_voxels(tmp_path: Path) -> None:
    volume = ivos.read_labels(save(tmp_path / "a.nii", LABELS))
    ivos.write(tmp_path / "b.nii.gz", volume.with_array(volume.array, {1: "liver & spleen", 2: "Lunge, größer"}))
    image = nib.load(tmp_path / "b.nii.gz")
    np.testing.assert_array_equal(np.asarray(image.dataobj), LABELS)
    (extension,) = image.header.extensions
    assert b"liver &amp; spleen" in extension.get_content()
    assert ivos.read_labels(tmp_path / "b.nii.gz").names == {1: "liver & spleen", 2: "Lunge, größer"}


def test_characters_that_xml_lacks_cost_no_names(tmp_path: Path) -> None:
    volume = ivos.read_labels(save(tmp_path / "a.nii", LABELS))
    ivos.write(tmp_path / "b.nii.gz", volume.with_array(volume.array, {1: "left\x01 kidney\ud800", 2: "spleen"}))
    assert ivos.read_labels(tmp_path / "b.nii.gz").names == {1: "left  kidney", 2: "spleen"}


def test_the_same_labels_are_the_same_file(tmp_path: Path) -> None:
    volume = ivos.read_labels(save(tmp_path / "a.nii", LABELS))
    for name in ("b.nii.gz", "c.nii.gz"):
        ivos.write(tmp_path / name, volume)
    assert (tmp_path / "b.nii.gz").read_bytes() == (tmp_path / "c.nii.gz").read_bytes()


def test_a_very_long_axis_takes_version_2(tmp_path: Path) -> None:
    array = np.zeros((40000, 2, 2), np.uint8)
    array[39999, 1, 0] = 3
    volume = ivos.Volume.from_array(array, Geometry(array.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)))
    ivos.write(tmp_path / "b.nii.gz", volume)
    assert isinstance(nib.load(tmp_path / "b.nii.gz"), nib.Nifti2Image)
    np.testing.assert_array_equal(ivos.read_labels(tmp_path / "b.nii.gz").array, array)
