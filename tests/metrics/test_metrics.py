"""Overlap and surface distances, worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ivos.metrics.overlap import dsc
from ivos.metrics.surface import hd95_mm, nsd


def cube(shift: int = 0, axis: int = 2, size: int = 6) -> np.ndarray:
    mask = np.zeros((16, 16, 16), bool)
    mask[4 : 4 + size, 4 : 4 + size, 4 : 4 + size] = True
    return np.roll(mask, shift, axis)


def test_dsc_of_shifted_cubes() -> None:
    assert dsc(cube(), cube()) == 1
    assert dsc(cube(), cube(2)) == pytest.approx(2 * 4 * 36 / (2 * 216))
    assert dsc(cube(), cube(8)) == 0


def test_an_absent_structure_counts_as_nothing_and_a_missed_one_as_zero() -> None:
    empty = np.zeros((16, 16, 16), bool)
    assert math.isnan(dsc(empty, empty))
    assert math.isnan(nsd(empty, empty, (1, 1, 1), 1))
    assert math.isnan(hd95_mm(empty, empty, (1, 1, 1)))
    for a, b in ((empty, cube()), (cube(), empty)):
        assert dsc(a, b) == 0
        assert nsd(a, b, (1, 1, 1), 1) == 0
        assert hd95_mm(a, b, (1, 1, 1)) == math.inf


def test_hausdorff_distance_is_in_millimetres_along_each_axis() -> None:
    for axis, spacing in enumerate((2.5, 0.8, 0.7)):
        assert hd95_mm(cube(), cube(3, axis), (2.5, 0.8, 0.7)) == pytest.approx(3 * spacing)


def test_nsd_depends_on_the_tolerance_in_millimetres() -> None:
    a, b = cube(), cube(2, axis=0)
    assert nsd(a, b, (1.5, 1, 1), tolerance_mm=3.01) == 1
    assert 0.3 < nsd(a, b, (1.5, 1, 1), tolerance_mm=0.5) < 0.9  # the sides along the shift still agree
    assert nsd(cube(), cube(), (1, 1, 1), 0.1) == 1


@settings(max_examples=25, deadline=None)
@given(
    masks=st.tuples(*[arrays(np.bool_, (5, 6, 7), elements=st.booleans())] * 2),
    order=st.permutations(range(3)),
    pad=st.integers(0, 3),
)
def test_symmetry_and_invariance(masks: tuple[np.ndarray, np.ndarray], order: list[int], pad: int) -> None:
    a, b = masks
    spacing = (2.0, 1.0, 0.5)
    figures = (dsc(a, b), nsd(a, b, spacing, 1.0), hd95_mm(a, b, spacing))
    c, d = (np.pad(m.transpose(order), pad) for m in (b, a))
    x, y, z = (spacing[n] for n in order)
    again = (dsc(c, d), nsd(c, d, (x, y, z), 1.0), hd95_mm(c, d, (x, y, z)))
    np.testing.assert_allclose(again, figures, atol=1e-5)
    assert all(math.isnan(f) or f >= 0 for f in figures)
    assert not any(f > 1 for f in figures[:2])
