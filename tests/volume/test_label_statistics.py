"""Label ids told from intensities."""

from __future__ import annotations

import numpy as np
import pytest

from ivos.volume.geometry import Geometry
from ivos.volume.label_layers import LabelLayers
from ivos.volume.label_statistics import extents, looks_like_labels
from ivos.volume.volume import Volume

Z, Y, X = np.mgrid[:8, :70, :70]
RANDOM = np.random.default_rng(3)


def parcels(ids: list[int], size: int = 7) -> np.ndarray:
    """Touching squares on six of eight slices."""
    array = np.zeros(Z.shape, np.int32)
    for number, label in enumerate(ids):
        y, x = size * (number // (70 // size)), size * (number % (70 // size))
        array[1:7, y : y + size, x : x + size] = label
    return array


SCANS = {
    "noise": np.clip(RANDOM.normal(110, 40, Z.shape), 0, 255).astype(np.uint8),
    "smooth": (255 * np.exp(-((Y - 35) ** 2 + (X - 35) ** 2) / 500)).astype(np.uint8),
    "ramp": (X * 3).astype(np.uint8),
    "slices of one value": np.broadcast_to((X * 70 + Y) % 251, Z.shape).astype(np.uint8),
    "in a dark room": np.where((Y - 35) ** 2 + (X - 35) ** 2 < 200, RANDOM.integers(1, 250, Z.shape), 0).astype(
        np.uint16
    ),
    "with a constant surround": np.where(
        (Y - 35) ** 2 + (X - 35) ** 2 < 200, RANDOM.integers(10, 250, Z.shape), 7
    ).astype(np.uint8),
    "CT": RANDOM.integers(-1000, 1000, Z.shape),
    "empty": np.zeros(Z.shape, np.uint8),
    "fractions": RANDOM.random(Z.shape),
}
LABELS = {
    "FreeSurfer": parcels([*range(1001, 1036), *range(2001, 2036), 10, 11, 12, 49, 12101]),
    "instances": parcels(list(range(1, 101))),
    "large instances": parcels(list(range(5000, 5196)), 5),
    "a mask of 255": (parcels([255, 0, 255])).astype(np.uint8),
    "few at random": RANDOM.choice([0, 1001, 2035, 12203], Z.shape),
    "floats": parcels([1, 2, 3]).astype(np.float32),
    "no background": parcels(list(range(1, 101)))[1:7],
    "one slice": np.where(Z == 3, parcels(list(range(1, 101))), 0),
}


@pytest.mark.parametrize("kind", SCANS)
def test_scans_are_no_labels(kind: str) -> None:
    assert not looks_like_labels(SCANS[kind])


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_id_are_labels(kind: str) -> None:
    assert looks_like_labels(LABELS[kind])


def test_extents_of_structures_that_overlap() -> None:
    first, second = np.zeros((4, 5, 5), np.uint16), np.zeros((4, 5, 5), np.uint16)
    first[0:3] = 1
    second[1, :2, :2] = 2035
    grid = Geometry((4, 5, 5), (2.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    labels = LabelLayers(tuple(Volume.from_array(array, grid) for array in (first, second)))
    found = extents(labels)
    assert {label: extent.slices for label, extent in found.items()} == {1: 3, 2035: 1}
    assert [extent.volume_ml for extent in found.values()] == pytest.approx([0.150, 0.008])
    assert labels.ids == [1, 2035]
    assert labels.mask(1).sum() == 75
    assert (labels.flat().array == 2035).sum() == 4
    assert (labels.flat(on_top=1).array == 2035).sum() == 0
