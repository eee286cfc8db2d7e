"""Headers are rounded: what lies within rounding is one stack, in reading, in cohorts and in what refers to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest

import ivos
from ivos.cohort.dicom_tree import SeriesRules
from ivos.cohort.sources import cases_from
from ivos.errors import InputError
from ivos.io.labels import LabelFormat, write_labels
from tests.io.dicom.series import edited, labelled, referable_series
from tests.io.grids import write_dicom

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pydicom.dataset import Dataset

STORED = np.random.default_rng(1).integers(0, 3000, (12, 6, 7)).astype(np.uint16)
HU = STORED.astype(int) - 1024


def turned(*angles: float) -> Callable[[Dataset, int], object]:
    """Slices turned within their planes by the angles in radians, one after the other."""

    def edit(data: Dataset, number: int) -> None:
        sine, cosine = np.sin(angles[number % len(angles)]), np.cos(angles[number % len(angles)])
        data.ImageOrientationPatient = [f"{v:.12f}" for v in (cosine, sine, 0, -sine, cosine, 0)]

    return edit


def placed(decimals: int, step_mm: tuple[float, float, float], form: str = "") -> Callable[[Dataset, int], object]:
    """Slices a step apart, in digits as many as given."""

    def edit(data: Dataset, number: int) -> None:
        data.ImagePositionPatient = [f"{round(float(s * number), decimals):{form}}" for s in step_mm]

    return edit


def pixels(*spacing_mm: str) -> Callable[[Dataset, int], object]:
    def edit(data: Dataset, number: int) -> None:
        data.PixelSpacing = [spacing_mm[number % len(spacing_mm)]] * 2

    return edit


def moved(data: Dataset, number: int) -> None:
    """Positions off by up to 2e-7 mm."""
    data.ImagePositionPatient = [f"{float(v) + 1e-7 * (number % 3):.8f}" for v in data.ImagePositionPatient]


EDGE = float(np.arcsin(0.1235))  # where rounding to three decimals goes one way or the other
ROUNDED: dict[str, tuple[Callable[[Dataset, int], object], float]] = {
    "directions across an edge of rounding": (turned(EDGE - 1e-6, EDGE + 1e-6), 2.0),
    "directions that drift": (turned(*np.linspace(0, 1e-3, 12)), 2.0),
    "directions of 1e-7": (turned(0, 1e-7), 2.0),
    "pixel spacing": (pixels("0.97655", "0.976550001"), 2.0),
    "positions of 1e-7": (moved, 2.0),
    "0.625 to a decimal": (placed(1, (0, 0, 0.625)), 0.625),
    "0.35 to a decimal": (placed(1, (0, 0, 0.35)), 0.35),
    "1.25 to a decimal": (placed(1, (0, 0, 1.25)), 1.25),
    "0.3333 to two": (placed(2, (0, 0, 0.3333)), 0.3333),
    "0.3 to a decimal, zeros behind": (placed(1, (0, 0, 0.3001), ".6f"), 0.3001),
    "0.15 to two, beside long ones": (placed(2, (0, 0, -0.155)), 0.155),
}


@pytest.mark.parametrize("name", ROUNDED)
def test_rounded_headers_are_one_stack_on_which_labels_lie(tmp_path: Path, name: str) -> None:
    edit, spacing_mm = ROUNDED[name]
    referable_series(tmp_path / "scan", STORED)
    paths = sorted((tmp_path / "scan").iterdir(), key=lambda p: float(header(p).ImagePositionPatient[2]))
    edited(paths, edit)
    scan = ivos.read(tmp_path / "scan")
    assert scan.array.shape == STORED.shape
    assert scan.source.spacing_mm[0] == pytest.approx(spacing_mm, abs=3e-3)
    assert [case.series for case in cases_from(tmp_path, rules=SeriesRules(slices=12)).cases] == [
        header(paths[0]).SeriesInstanceUID
    ]
    labels = labelled(tmp_path / "scan", {1: "liver", 2: "spleen"})
    for form in (LabelFormat.dicom_seg, LabelFormat.rtstruct):
        file = tmp_path / f"{form.value}.dcm"
        write_labels(file, labels, source=tmp_path / "scan", form=form)
        np.testing.assert_array_equal(ivos.read_labels(file, scan=scan).array, labels.array)
    seg = ivos.read_labels(tmp_path / "dicom-seg.dcm")
    assert int((seg.array == 1).sum()) == int((labels.array == 1).sum())


def test_a_segmentation_that_names_the_rounded_places_is_read(tmp_path: Path) -> None:
    referable_series(tmp_path / "scan", STORED)
    paths = sorted((tmp_path / "scan").iterdir(), key=lambda p: float(header(p).ImagePositionPatient[2]))
    edited(paths, placed(1, (0, 0, 0.35)))
    labels = labelled(tmp_path / "scan", {1: "liver"})
    write_labels(tmp_path / "a.dcm", labels, source=tmp_path / "scan")
    seg = pydicom.dcmread(tmp_path / "a.dcm")
    for frame in seg.PerFrameFunctionalGroupsSequence:
        place = frame.PlanePositionSequence[0]
        place.ImagePositionPatient = [round(float(v), 1) for v in place.ImagePositionPatient]
    seg.save_as(tmp_path / "a.dcm")
    read = ivos.read_labels(tmp_path / "a.dcm", scan=ivos.read(tmp_path / "scan"))
    np.testing.assert_array_equal(read.array, labels.array)


def header(path: Path) -> Any:
    return pydicom.dcmread(path, stop_before_pixels=True)


def test_an_oblique_stack_rounded_in_all_coordinates(tmp_path: Path) -> None:
    step = (-0.42, 0.56, 0.0)  # 0.7 mm along the normal
    paths = write_dicom(tmp_path, STORED, orientation=(0.8, 0.6, 0, 0, 0, -1), step_mm=step)
    edited(paths, placed(1, step))
    scan = ivos.read(tmp_path)
    assert scan.source.spacing_mm[0] == pytest.approx(0.7, abs=5e-3)
    assert sorted(scan.array.ravel()) == sorted(HU.ravel())


@pytest.mark.parametrize(
    ("places", "told"),
    [
        ([0, 0.6, 1.2, 1.9, 2.5, 3.8, 4.4, 5.0, 5.6, 6.2, 6.9, 7.5], "missing or unevenly"),  # 0.625, one missing
        ([0, 3, 6, 9, 12, 16, 19, 22, 25, 28, 31, 34], "missing or unevenly"),  # whole millimetres are not rounding
        ([0, 3, 6, 9, 12.5, 15, 18, 21, 24, 27, 30, 33], "missing or unevenly"),
        ([0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12], "missing or unevenly"),
        (
            [0, 0.1, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2],
            "missing or unevenly",
        ),  # digits as coarse as steps
    ],
)
def test_what_is_more_than_rounding_is_refused(tmp_path: Path, places: list[float], told: str) -> None:
    edited(write_dicom(tmp_path, STORED), lambda d, n: setattr(d, "ImagePositionPatient", ["0", "0", str(places[n])]))
    with pytest.raises(InputError, match=told):
        ivos.read(tmp_path)


def test_a_tilt_within_tolerance_is_read_and_a_slice_out_of_line_refused(tmp_path: Path) -> None:
    paths = write_dicom(tmp_path, STORED, step_mm=(0, 2 * np.tan(np.radians(0.19)), 2.0))
    assert ivos.read(tmp_path).array.shape == STORED.shape
    edited(paths[5:6], lambda d, _: setattr(d, "ImagePositionPatient", ["10", "23.5", "40"]))
    with pytest.raises(InputError, match=r"shifted against each other within their planes, by up to 3.5 mm"):
        ivos.read(tmp_path)


def test_directions_of_two_decimals_are_directions_and_zeros_are_none(tmp_path: Path) -> None:
    paths = write_dicom(tmp_path, STORED, orientation=(0.87, 0.5, 0, -0.5, 0.87, 0))
    axes = np.array(ivos.read(tmp_path).source.axes)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    edited(paths, lambda d, _: setattr(d, "ImageOrientationPatient", [0, 0, 0, 0, 0, 0]))
    with pytest.raises(InputError, match="impossible pixel spacing or orientation"):
        ivos.read(tmp_path)
