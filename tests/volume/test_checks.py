"""Volumes made of arrays are checked as files are, wherever they are given."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest

import ivos
from ivos.errors import InputError
from ivos.uncertainty.suggest import suggest
from ivos.volume.geometry import Geometry
from ivos.volume.labels import apply_mapping
from tests.propagation.scenes import RecordingEngine, drawn_on, moving_discs, volume_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GRID = Geometry((4, 5, 6), (2.0, 1.0, 1.0), (0.0, 0.0, 0.0))
SCAN, LABELS = moving_discs(slices=6, size=32)
DRAWN = drawn_on(LABELS, 2)
FEW = np.zeros((4, 5, 6), np.float32)


def spoilt(volume: ivos.Volume, value: float, dtype: Any = np.float32) -> ivos.Volume:
    """With one voxel of another value, past the check of ``from_array``."""
    array = volume.array.astype(dtype)
    array[2, 3, 4] = value
    return replace(volume, array=array)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_voxels_that_are_not_finite(value: float, dtype: type) -> None:
    array: npt.NDArray[Any] = FEW.astype(dtype)
    array[1:3, 2, 3] = value
    with pytest.raises(InputError, match="array: 2 voxels are NaN or infinite"):
        ivos.Volume.from_array(array, GRID)
    with pytest.raises(InputError, match="my scan: 2 voxels"):
        ivos.Volume.from_array(array, GRID, what="my scan")


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (FEW[0], "shape (5, 6); ivos needs one of three axes"),
        (FEW[None], "shape (1, 4, 5, 6); ivos needs one of three axes"),
        (FEW[..., None], "shape (4, 5, 6, 1); ivos needs one of three axes"),
        (FEW[:0], "shape (0, 5, 6)"),
        (FEW[:3], "shape (3, 5, 6) on a grid of shape (4, 5, 6)"),
        (np.float32(3), "voxels are float32"),
        (FEW.transpose(2, 1, 0), "shape (6, 5, 4) on a grid of shape (4, 5, 6)"),
        (FEW.astype(complex), "voxels are complex128"),
        (FEW.astype(object), "voxels are object"),
        (FEW.astype(str), "voxels are <U"),
        (np.zeros(FEW.shape, "datetime64[s]"), "voxels are datetime64[s]"),
        (FEW.tolist(), "voxels are list"),
        (np.ma.masked_equal(FEW, 0), "a masked array"),
    ],
)
def test_arrays_that_are_no_volume(array: Any, words: str) -> None:
    with pytest.raises(InputError) as caught:
        ivos.Volume.from_array(array, GRID)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_single_slice_is_no_scan() -> None:
    one = volume_of(np.zeros((1, 8, 8), np.int16))
    for use in everywhere(one, one.with_array(one.array.astype(np.uint8) + 1)).values():
        with pytest.raises(InputError, match=r"scan: two-dimensional \(8 x 8 x 1 voxels\)"):
            use()


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        (replace(GRID, spacing_mm=(2.0, 0.0, 1.0)), "a spacing of"),
        (replace(GRID, spacing_mm=(2.0, -1.0, 1.0)), "a spacing of"),
        (replace(GRID, spacing_mm=(np.nan, 1.0, 1.0)), "a spacing of"),
        (replace(GRID, origin_mm=(0.0, np.inf, 0.0)), "an origin of"),
        (replace(GRID, axes=((0, 0, 1.0), (0, 2.0, 0), (1.0, 0, 0))), "vectors of length 1"),
        (replace(GRID, axes=((0, 0.6, 0.8), (0, 1.0, 0), (1.0, 0, 0))), "right angles"),
        (replace(GRID, axes=((0, 0, 1.0), (0, 0, 1.0), (1.0, 0, 0))), "right angles"),
    ],
)
def test_grids_that_are_none(grid: Geometry, words: str) -> None:
    with pytest.raises(InputError, match=words):
        ivos.Volume.from_array(FEW, grid)


@pytest.mark.parametrize("dtype", [">i2", ">f4", "<u2", np.int64, np.uint64, bool])
def test_every_plain_type_of_number(dtype: Any) -> None:
    array = (np.arange(120).reshape(4, 5, 6) % 2).astype(dtype)
    volume = ivos.Volume.from_array(array, GRID)
    assert volume.array.dtype.isnative
    np.testing.assert_array_equal(volume.array, array)


def everywhere(scan: ivos.Volume, drawn: ivos.Volume) -> dict[str, Callable[[], object]]:
    """The public functions that take a scan and labels."""
    return {
        "propagate": lambda: ivos.propagate(scan, drawn, engine=RecordingEngine()),
        "suggest": lambda: suggest(scan, drawn, engine=RecordingEngine()),
        "session": lambda: ivos.InteractiveSession(scan, engine=RecordingEngine()).load_labels(drawn),
    }


@pytest.mark.parametrize("name", ["propagate", "suggest", "session"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_scan_that_is_not_finite_is_refused_everywhere(name: str, value: float) -> None:
    with pytest.raises(InputError, match="scan: 1 voxel is NaN or infinite"):
        everywhere(spoilt(SCAN, value), DRAWN)[name]()


@pytest.mark.parametrize("name", ["propagate", "suggest", "session"])
@pytest.mark.parametrize(
    ("value", "words"),
    [(0.5, "whole numbers, found 0.5"), (-1.0, "0 or more, found -1"), (np.nan, "NaN"), (5e9, "too large")],
)
def test_labels_that_are_none_are_refused_everywhere(name: str, value: float, words: str) -> None:
    with pytest.raises(InputError, match=words):
        everywhere(SCAN, spoilt(DRAWN, value, np.float64))[name]()


def test_labels_of_every_type_are_the_same_labels() -> None:
    expected = ivos.propagate(SCAN, DRAWN, engine=RecordingEngine()).labels.array
    for dtype in (np.int8, np.int16, np.int64, np.uint32, np.float32, np.float64, ">i4"):
        drawn = DRAWN.with_array(DRAWN.array.astype(dtype))
        found = ivos.propagate(SCAN, drawn, engine=RecordingEngine()).labels.array
        np.testing.assert_array_equal(found, expected)
    one = drawn_on(LABELS.with_array(LABELS.array == 3), 2)
    assert set(np.unique(ivos.propagate(SCAN, one, engine=RecordingEngine()).labels.array)) == {0, 1}


def test_scores_of_what_is_no_labels_are_refused() -> None:
    for value, words in ((0.5, "prediction: labels must be whole"), (-1, "prediction: labels must be 0 or more")):
        with pytest.raises(InputError, match=words):
            ivos.evaluate(spoilt(LABELS, value), LABELS)
        with pytest.raises(InputError, match=words.replace("prediction", "truth")):
            ivos.evaluate(LABELS, spoilt(LABELS, value))
    nearly = LABELS.with_array(LABELS.array.astype(np.float32) * np.float32(0.1) * np.float32(10))
    assert [score.dsc for score in ivos.evaluate(nearly, LABELS)] == [1.0, 1.0]


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_what_could_not_be_read_is_not_written(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(InputError, match="NaN"):
        ivos.write(tmp_path / f"a{suffix}", spoilt(SCAN, np.nan))
    with pytest.raises(InputError, match="shape"):
        ivos.write(tmp_path / f"a{suffix}", replace(SCAN, array=SCAN.array[:3]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", [bool, np.float16, np.int64, np.uint64, ">f4", ">i2"])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_every_type_is_written_so_that_it_is_read(tmp_path: Path, suffix: str, dtype: Any) -> None:
    array: npt.NDArray[Any] = (np.arange(120).reshape(4, 5, 6) % 2).astype(dtype)
    ivos.write(tmp_path / f"a{suffix}", volume_of(FEW).with_array(array))
    np.testing.assert_array_equal(ivos.read(tmp_path / f"a{suffix}").array, array)


def test_a_volume_takes_arrays_of_its_shape_alone() -> None:
    with pytest.raises(InputError, match="shape"):
        SCAN.with_array(SCAN.array[:3])


def test_ids_are_mapped_where_they_are_whole() -> None:
    np.testing.assert_array_equal(apply_mapping(np.array([[0, 1, 2]], np.int32), {1: 5}), [[0, 5, 0]])
    with pytest.raises(InputError, match="whole numbers"):
        apply_mapping(np.array([[0, 0.5]]), {1: 5})
