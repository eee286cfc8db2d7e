"""Synthetic abdomens: repeatable, varied, and anatomically what they claim to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import ndimage

import ivos
from ivos.phantom import Phantom, abdomen, write_cohort

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (40, 112, 112)
ADULT_ML = {
    "liver": (800, 2300), "kidney_right": (70, 280), "spleen": (60, 320), "pancreas": (25, 130), "aorta": (40, 160),
    "inferior_vena_cava": (40, 160), "adrenal_gland_right": (1, 10), "adrenal_gland_left": (1, 10),
    "gallbladder": (10, 70), "esophagus": (8, 45), "stomach": (120, 750), "duodenum": (30, 130),
    "kidney_left": (60, 280),
}  # fmt: skip


@pytest.fixture(scope="module", params=range(5))
def case(request: pytest.FixtureRequest) -> Phantom:
    return abdomen(int(request.param), shape=SHAPE)


def organ(case: Phantom, name: str) -> np.ndarray:
    number = next(label for label, called in case.labels.names.items() if called == name)
    mask: np.ndarray = case.labels.array == number
    return mask


def test_the_same_seed_gives_the_same_case_and_another_seed_another() -> None:
    first, again, other = (abdomen(seed, shape=SHAPE) for seed in (11, 11, 12))
    np.testing.assert_array_equal(first.scan.array, again.scan.array)
    np.testing.assert_array_equal(first.labels.array, again.labels.array)
    assert (first.labels.array != other.labels.array).mean() > 0.02


def test_organs_have_the_volumes_of_adults(case: Phantom) -> None:
    voxel_ml = case.scan.geometry.voxel_volume_ml
    assert set(case.labels.names.values()) == set(ADULT_ML)
    for name, (low, high) in ADULT_ML.items():
        assert low < organ(case, name).sum() * voxel_ml < high, name


def test_organs_hang_together(case: Phantom) -> None:
    for name in ADULT_ML:
        mask = organ(case, name)
        pieces, _ = ndimage.label(mask, np.ones((3, 3, 3)))
        assert np.bincount(pieces.ravel())[1:].max() > 0.8 * mask.sum(), name


def test_organs_lie_on_their_sides(case: Phantom) -> None:
    """x grows to the patient's left, y to the back, z to the head."""
    centre = {name: np.argwhere(organ(case, name)).mean(axis=0) for name in ADULT_ML}
    assert centre["liver"][2] < centre["stomach"][2] < centre["spleen"][2]
    assert centre["kidney_right"][2] < centre["aorta"][2] < centre["kidney_left"][2]
    assert centre["inferior_vena_cava"][2] < centre["aorta"][2]
    assert centre["gallbladder"][1] < centre["aorta"][1]
    assert centre["kidney_left"][0] < centre["spleen"][0]
    assert centre["esophagus"][0] > centre["duodenum"][0]


def test_tissues_have_their_hu(case: Phantom) -> None:
    scan = case.scan.array
    assert scan.dtype == np.int16
    assert scan[organ(case, "liver")].mean() == pytest.approx(85, abs=50)
    assert abs(scan[organ(case, "gallbladder")].mean()) < 30
    assert scan[organ(case, "aorta")].mean() >= scan[organ(case, "inferior_vena_cava")].mean() - 12
    assert (scan < -900).mean() > 0.1  # the air around
    assert ((scan > -140) & (scan < -60)).mean() > 0.05  # fat
    assert (scan > 250).mean() > 0.001  # bone


def test_borders_are_mixed_and_noise_is_there(case: Phantom) -> None:
    liver = organ(case, "liver")
    inside = ndimage.binary_erosion(liver, iterations=3)
    assert 4 < case.scan.array[inside].std() < 60


def test_no_seed_fails() -> None:
    for seed in range(1000, 1150):
        assert abdomen(seed, shape=(12, 24, 24)).labels.array.max() == 13


def test_phases_differ() -> None:
    aortas = [c.scan.array[organ(c, "aorta")].mean() for c in (abdomen(s, shape=(24, 64, 64)) for s in range(16))]
    assert max(aortas) > 220
    assert min(aortas) < 130


def test_shape_and_spacing_are_as_asked() -> None:
    made = abdomen(3, shape=(20, 64, 72), spacing_mm=(5.0, 3.0, 2.5)).scan
    assert made.array.shape == (20, 64, 72)
    assert made.source.spacing_mm == (5.0, 3.0, 2.5)


def test_a_cohort_in_flare22_layout_goes_on_where_it_stopped(tmp_path: Path) -> None:
    shape = (16, 48, 48)
    names = write_cohort(tmp_path / "whole", 3, seed=5, shape=shape)
    assert sorted(p.name for p in (tmp_path / "whole" / "images").iterdir()) == [f"{n}_0000.nii.gz" for n in names]
    assert sorted(p.name for p in (tmp_path / "whole" / "labels").iterdir()) == [f"{n}.nii.gz" for n in names]
    write_cohort(tmp_path / "broken", 1, seed=5, shape=shape)
    first = (tmp_path / "broken" / "labels" / f"{names[0]}.nii.gz").stat().st_mtime_ns
    seen: list[int] = []
    write_cohort(tmp_path / "broken", 3, seed=5, shape=shape, progress=seen.append)
    assert seen == [1, 2, 3]
    assert (tmp_path / "broken" / "labels" / f"{names[0]}.nii.gz").stat().st_mtime_ns == first
    for name in names:
        whole, resumed = (ivos.read(tmp_path / f / "images" / f"{name}_0000.nii.gz") for f in ("whole", "broken"))
        np.testing.assert_array_equal(whole.array, resumed.array)


def test_labels_are_written_in_the_scans_geometry(tmp_path: Path) -> None:
    (name,) = write_cohort(tmp_path, 1, seed=1, shape=(16, 48, 48))
    scan = ivos.read(tmp_path / "images" / f"{name}_0000.nii.gz")
    labels = ivos.read_labels(tmp_path / "labels" / f"{name}.nii.gz")
    assert scan.source == labels.source
    assert labels.array.max() == 13
