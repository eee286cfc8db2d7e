"""Slices drawn along one axis or several: what is found, what is refused, and what is taken."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

import ivos
from ivos.errors import InputError
from ivos.propagation.annotated_planes import along_one_axis
from ivos.propagation.engines.nearest import NearestEngine
from tests.propagation.scenes import moving_discs, volume_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivos.types import BoolArray
    from ivos.volume.volume import Volume

SHAPE = (20, 48, 48)
Z, Y, X = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
ROD = (Y - 24) ** 2 + (X - 30) ** 2 < 60
BALL = 4 * (Z - 9) ** 2 + (Y - 22) ** 2 + (X - 12) ** 2 < 100
LABELS = np.where(BALL, 1, np.where(ROD, 2, 0)).astype(np.uint8)
SHELL = np.abs(np.sqrt(4.0 * (Z - 10) ** 2 + (Y - 24) ** 2 + (X - 24) ** 2) - 17) < 0.6
"""A wall of a voxel or two, which lies in a plane of each axis where it turns."""


def drawn(there: BoolArray, labels: np.ndarray = LABELS, names: dict[int, str] | None = None) -> Volume:
    volume = volume_of(np.where(there, labels, 0).astype(np.uint8))
    return volume.with_array(volume.array, names)


ONE = {
    "axial": [Z == 3, np.isin(Z, (3, 4)), np.isin(Z, (2, 9, 15)), np.isin(Z, (3, 4, 5, 12)), Z >= 0],
    "coronal": [Y == 24, np.isin(Y, (20, 24, 28)), np.isin(Y, (21, 22, 27))],
    "sagittal": [X == 30, np.isin(X, (10, 30)), np.isin(X, (12, 28, 33))],
}


@pytest.mark.parametrize(("axis", "number"), [(axis, n) for axis, all_ in ONE.items() for n in range(len(all_))])
def test_slices_of_one_axis_are_taken_as_they_are(axis: str, number: int) -> None:
    labels = drawn(ONE[axis][number])
    for chosen in (None, axis):
        taken = along_one_axis(labels, chosen)
        assert (taken.axis, taken.dropped, taken.note) == (("axial", "coronal", "sagittal").index(axis), 0, "")
        np.testing.assert_array_equal(taken.labels.array, labels.array)


@pytest.mark.parametrize("solid", [LABELS, SHELL.astype(np.uint8), (BALL | SHELL).astype(np.uint8)])
def test_whole_labels_are_slices_of_any_axis(solid: np.ndarray) -> None:
    labels = volume_of(solid)
    assert along_one_axis(labels).axis == 0
    for axis in ("axial", "coronal", "sagittal"):
        assert along_one_axis(labels, axis).dropped == 0


@pytest.mark.parametrize("side_by_side", [range(20), range(6, 11), (2, 3, 4, 5, 12, 13, 14)])
def test_thin_parts_of_what_was_drawn_on_slices_side_by_side_are_no_planes(side_by_side: Sequence[int]) -> None:
    wing = (X == 36) & (np.abs(Y - 24) < 12)  # a wall of one voxel that stands in a sagittal plane
    labels = drawn(np.isin(Z, side_by_side), np.where(wing | ROD, 2, 0))
    taken = along_one_axis(labels)
    assert (taken.axis, taken.dropped) == (0, 0)


SEVERAL = [
    ({"axial": [3], "coronal": [24], "sagittal": [30]}, "axial slice 3; coronal slice 24; sagittal slice 30"),
    ({"axial": [9], "sagittal": [12]}, "axial slice 9; sagittal slice 12"),
    ({"coronal": [20, 26], "sagittal": [28]}, "coronal slices 20, 26; sagittal slice 28"),
    ({"axial": [2, 7, 12, 17], "sagittal": [30]}, "axial slices 2, 7, 12, 17; sagittal slice 30"),
    ({"axial": [8, 9, 10], "coronal": [22]}, "axial slices 8, 9, 10; coronal slice 22"),
    ({"axial": [3, 10], "sagittal": [29, 30]}, "axial slices 3, 10; sagittal slices 29, 30"),
]


def planes(slices: dict[str, list[int]]) -> BoolArray:
    axes = {"axial": Z, "coronal": Y, "sagittal": X}
    there: BoolArray = np.any([np.isin(axes[axis], numbers) for axis, numbers in slices.items()], axis=0)
    return there


@pytest.mark.parametrize(("slices", "words"), SEVERAL)
def test_slices_of_several_axes_are_refused_with_what_was_found(slices: dict[str, list[int]], words: str) -> None:
    with pytest.raises(InputError, match="drawn in several planes") as refusal:
        along_one_axis(drawn(planes(slices)), what="a.nii.gz")
    assert str(refusal.value).startswith(f"a.nii.gz: drawn in several planes: {words}; --axis ")


@pytest.mark.parametrize(("slices", "words"), SEVERAL)
def test_of_several_axes_one_is_taken_and_the_rest_counted(slices: dict[str, list[int]], words: str) -> None:
    labels = drawn(planes(slices), names={1: "ball", 2: "rod"})
    for axis, numbers in slices.items():
        taken = along_one_axis(labels, axis)
        wanted = drawn(planes({axis: numbers})).array
        wrong = np.count_nonzero(taken.labels.array != wanted)
        assert wrong <= 0.02 * np.count_nonzero(wanted)  # a voxel of the rim here and there
        assert taken.dropped == np.count_nonzero(labels.array) - np.count_nonzero(taken.labels.array)
        assert words in taken.note
        assert f"{taken.dropped} voxels" in taken.note
        assert taken.labels.names == labels.names


def test_axial_slices_are_what_was_drawn_there_to_the_voxel() -> None:
    labels = drawn(planes({"axial": [3], "coronal": [24], "sagittal": [30]}))
    taken = along_one_axis(labels, "axial")
    np.testing.assert_array_equal(taken.labels.array, drawn(Z == 3).array)


@pytest.mark.parametrize("axis", ["axial", "sagittal"])
def test_an_axis_on_which_nothing_is_drawn_is_refused(axis: str) -> None:
    with pytest.raises(InputError, match=f"nothing is drawn on {axis} slices, only on coronal slice 24; choose"):
        along_one_axis(drawn(Y == 24), axis)
    with pytest.raises(InputError, match="nothing is drawn on coronal slices, only on axial slices 3, 12"):
        along_one_axis(drawn(np.isin(Z, (3, 12))), "coronal")


def test_only_what_is_asked_for_is_looked_at() -> None:
    labels = volume_of(np.where((Z == 9) & BALL, 1, np.where((X == 30) & ROD, 2, 0)).astype(np.uint8))
    assert along_one_axis(labels, structures=[1]).axis == 0
    assert along_one_axis(labels, structures=[2]).axis == 2
    named = labels.with_array(labels.array, {1: "ignore"})
    assert along_one_axis(named).axis == 2


def test_numbers_are_those_of_the_file() -> None:
    volume = drawn(planes({"axial": [3], "sagittal": [30]}))
    turned = ivos.volume.volume.Volume.from_array(volume.array[::-1, :, ::-1], _flipped(volume))
    with pytest.raises(InputError, match="axial slice 16; sagittal slice 17"):
        along_one_axis(turned)


def _flipped(volume: Volume) -> ivos.volume.geometry.Geometry:
    (a, b, c), y, (d, e, f) = volume.geometry.axes
    return replace(volume.geometry, axes=((-a, -b, -c), y, (-d, -e, -f)))


def test_propagation_refuses_or_takes_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    scan, labels = moving_discs()
    both = labels.array.copy()
    both[np.arange(12) != 5] = 0
    both[:, :, 20] = labels.array[:, :, 20]
    crossed = labels.with_array(both)
    with pytest.raises(InputError, match="axial slice 5; sagittal slice 20"):
        ivos.propagate(scan, crossed, engine=NearestEngine())
    with caplog.at_level(logging.WARNING):
        found = ivos.propagate(scan, crossed, engine=NearestEngine(), axis="axial")
    assert "dropped" in caplog.text
    assert found.annotated == (5,)
    np.testing.assert_array_equal(found.labels.array[0], labels.array[5])


def test_nothing_drawn() -> None:
    assert along_one_axis(drawn(Z < 0)).axis == 0
