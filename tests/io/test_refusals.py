"""What cannot be used is refused in one line that says what came, where, and what to do."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

import ivos
from ivos.errors import InputError
from ivos.volume.volume import on_grid_of
from tests.io.grids import image_of, rotation

VOXELS = np.random.default_rng(0).integers(-1000, 1000, (6, 7, 8)).astype(np.int16)


def refused(path: Path, *words: str, labels: bool = False) -> None:
    with pytest.raises(InputError) as caught:
        (ivos.read_labels if labels else ivos.read)(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    for word in words:
        assert word in message


def saved(path: Path, image: sitk.Image) -> Path:
    sitk.WriteImage(image, str(path))
    return path


def test_not_there(tmp_path: Path) -> None:
    refused(tmp_path / "scan.nii.gz", "no such file")


@pytest.mark.parametrize("name", ["notes.txt", "scan.jpg", "scan"])
def test_not_an_image_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("hello")
    refused(tmp_path / name, "not an image")


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.zip"])
@pytest.mark.parametrize("content", [b"", b"hello", b"x" * 5000])
def test_not_an_image_by_content(tmp_path: Path, name: str, content: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name)
    assert capfd.readouterr() == ("", "")  # and the readers' own complaints stay off the terminal


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
def test_truncated(tmp_path: Path, name: str, share: float, capfd: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path / name, image_of(VOXELS))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    refused(path)
    assert capfd.readouterr() == ("", "")


def test_truncated_says_so(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.nii", image_of(VOXELS))
    path.write_bytes(path.read_bytes()[:600])
    refused(path, "truncated", "600 bytes")


def test_checksum_of_gzip_is_verified(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.nii", image_of(VOXELS))
    packed = bytearray(gzip.compress(path.read_bytes(), 0))  # stored: damage changes voxels and nothing else
    packed[len(packed) // 2] ^= 0xFF
    (tmp_path / "a.nii.gz").write_bytes(packed)
    refused(tmp_path / "a.nii.gz", "damaged")


def test_header_that_promises_a_million_slices(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.nii", image_of(VOXELS))
    content = bytearray(path.read_bytes())
    content[40:56] = struct.pack("<8h", 3, 30000, 30000, 30000, 1, 1, 1, 1)
    path.write_bytes(content)
    refused(path, "truncated")


def test_four_dimensional(tmp_path: Path) -> None:
    series = sitk.JoinSeries([image_of(VOXELS), image_of(VOXELS)])
    refused(saved(tmp_path / "a.nii.gz", series), "4-dimensional", "8 x 7 x 6 x 2")


def test_a_single_time_point_is_a_volume(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.nrrd", sitk.JoinSeries([image_of(VOXELS)]))
    np.testing.assert_array_equal(ivos.read(path).array, VOXELS)


@pytest.mark.parametrize("shape", [(7, 8), (1, 7, 8)])
def test_two_dimensional(tmp_path: Path, shape: tuple[int, ...]) -> None:
    image = sitk.GetImageFromArray(np.zeros(shape, np.int16))
    refused(saved(tmp_path / "a.mha", image), "two-dimensional")


def test_colour(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(np.zeros((4, 5, 6, 3), np.uint8), isVector=True)
    refused(saved(tmp_path / "a.nrrd", image), "3 values per voxel")


def test_complex_numbers(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(np.ones((4, 5, 6), np.complex64))
    refused(saved(tmp_path / "a.nii", image), "complex")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite(tmp_path: Path, value: float) -> None:
    voxels = VOXELS.astype(np.float32)
    voxels[1, 2, 3] = value
    refused(saved(tmp_path / "a.nii.gz", image_of(voxels)), "1 voxel is NaN or infinite")


def test_sheared_nifti(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.nii", image_of(VOXELS))
    content = bytearray(path.read_bytes())
    content[252:256] = struct.pack("<2h", 0, 2)  # no qform, only an sform
    content[280:328] = struct.pack("<12f", 1, 0, 0.3, 0, 0, 1, 0, 0, 0, 0, 1, 0)
    path.write_bytes(content)
    refused(path, "gantry tilt or shear")


@pytest.mark.parametrize(("value", "word"), [(-3, "0 or more"), (1.5, "whole numbers")])
def test_labels_must_be_whole_and_not_negative(tmp_path: Path, value: float, word: str) -> None:
    voxels = np.zeros((4, 5, 6), np.float32)
    voxels[1, 2, 3] = value
    refused(saved(tmp_path / "a.nii.gz", image_of(voxels)), word, f"found {value:g}", labels=True)


def volume_of(folder: Path, image: sitk.Image) -> ivos.Volume:
    return ivos.read(saved(folder / "grid.nrrd", image))


def moved(image: sitk.Image, kind: str) -> tuple[sitk.Image, str]:
    if kind == "origin":
        image.SetOrigin((-120.5 + 3, 33.25 + 4, 410))
        return image, "5 mm apart"
    if kind == "spacing":
        image.SetSpacing((0.7, 0.8, 2.6))
        return image, "spacing differs by up to 0.1 mm"
    if kind == "direction":
        image.SetDirection(rotation((0.0, 0.0, 0.1)).ravel().tolist())
        return image, "directions by 5.7 degrees"
    return image[:, :, 1:], "8 x 7 x 5, the scan's 8 x 7 x 6"


@pytest.mark.parametrize("kind", ["origin", "spacing", "direction", "size"])
def test_labels_on_another_grid(tmp_path: Path, kind: str) -> None:
    scan = volume_of(tmp_path, image_of(VOXELS))
    other, words = moved(image_of(VOXELS), kind)
    with pytest.raises(InputError, match=words) as caught:
        on_grid_of(volume_of(tmp_path, other), scan, "slices.nii.gz")
    assert str(caught.value).startswith("slices.nii.gz: not on the scan's grid")


@pytest.mark.parametrize("wanted", ["RAS", "LPI", "SAR", "PIL", "ASL"])
def test_the_same_grid_in_another_axis_order_is_the_same(tmp_path: Path, wanted: str) -> None:
    tilted = image_of(VOXELS, rotation((0.3, 0.2, -0.4)))
    scan = volume_of(tmp_path, tilted)
    labels = volume_of(tmp_path, sitk.DICOMOrient(tilted, wanted))
    np.testing.assert_array_equal(on_grid_of(labels, scan, "labels").array, scan.array)


def test_header_rounding_is_not_a_difference(tmp_path: Path) -> None:
    scan = volume_of(tmp_path, image_of(VOXELS))
    rounded = image_of(VOXELS)
    rounded.SetOrigin((-120.49, 33.25, 410.0))
    on_grid_of(volume_of(tmp_path, rounded), scan, "labels")


def test_nothing_is_written_where_writing_is_not_possible(tmp_path: Path) -> None:
    scan = volume_of(tmp_path, image_of(VOXELS))
    before = sorted(tmp_path.rglob("*"))
    for path in (tmp_path / "out.jpg", tmp_path):
        with pytest.raises(InputError):
            ivos.write(path, scan)
    with pytest.raises(InputError):
        ivos.write(tmp_path / "grid.nrrd" / "out.nii.gz", scan)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = volume_of(tmp_path, image_of(VOXELS))
    target = tmp_path / "out.nii.gz"
    target.write_bytes(b"old")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(gzip.GzipFile, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ivos.write(target, scan)
    assert target.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["grid.nrrd", "out.nii.gz"]
