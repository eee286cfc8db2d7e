"""Even slices stay even when their positions are rounded, and a missing one is always seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from ivos.io.dicom.grid import fault_of, grid_of, in_order
from ivos.io.dicom.header import SliceHeader, slice_header
from tests.io.grids import rotation

ANGLES = st.tuples(*[st.floats(-3, 3)] * 3)


def headers(count: int, spacing_mm: float, decimals: int, angles: tuple[float, float, float]) -> list[SliceHeader]:
    """Slices of an oblique stack whose positions are rounded."""
    row, column, normal = np.round(rotation(angles), 9).T
    found = []
    for number in range(count):
        data = Dataset()
        data.Rows = data.Columns = 4
        data.PixelSpacing = ["0.8", "0.8"]
        data.ImagePositionPatient = [f"{v:.{decimals}f}" for v in -123.4567 + number * spacing_mm * normal]
        data.ImageOrientationPatient = [f"{v:.9f}" for v in (*row, *column)]
        found.append(slice_header(data, Path(f"{number}.dcm")))
    return found


@given(st.integers(3, 40), st.floats(0.3, 6), st.integers(1, 3), ANGLES)
def test_rounded_slices_are_evenly_spaced(
    count: int, spacing_mm: float, decimals: int, angles: tuple[float, float, float]
) -> None:
    unit = 10.0**-decimals
    run = (count + 1) // 2  # of few slices a missing one cannot be told from rounding
    assume(unit * np.abs(rotation(angles)[:, 2]).sum() < 0.9 * spacing_mm * (run - 1) / (2 * (run + 1)))
    slices = headers(count, spacing_mm, decimals, angles)
    assert in_order(slices[::-1]) == slices
    assert fault_of(slices) is None
    grid = grid_of(slices)
    assert abs(grid.spacing_mm[0] - spacing_mm) < 2.1 * unit / (count - 1)
    places = grid.points_mm([[n, 0, 0] for n in range(count)])
    assert (
        np.linalg.norm(places - [s.position_mm for s in slices], axis=1).max() < 3 * unit + 0.003 * count * spacing_mm
    )


def test_of_few_slices_a_missing_one_is_not_taken_for_rounding() -> None:
    slices = headers(4, 0.335, 1, (1.7459, 8.6299, -8.0987))
    for missing in (1, 2):
        left = slices[:missing] + slices[missing + 1 :]
        assert "missing or unevenly spaced" in str(fault_of(left))


@given(st.integers(4, 40), st.floats(0.3, 6), st.integers(1, 3), ANGLES, st.data())
def test_a_missing_slice_is_seen_however_positions_are_rounded(
    count: int, spacing_mm: float, decimals: int, angles: tuple[float, float, float], data: st.DataObject
) -> None:
    slices = headers(count, spacing_mm, decimals, angles)
    assume(10.0**-decimals * np.abs(rotation(angles)[:, 2]).sum() < 0.45 * spacing_mm)
    del slices[data.draw(st.integers(1, count - 2))]
    assert "missing or unevenly spaced" in str(fault_of(slices))
