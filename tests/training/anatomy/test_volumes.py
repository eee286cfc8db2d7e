"""Volumes with real anatomy: repeatable, of the right kind, none of what is held out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import ivos
from ivos.errors import InputError
from ivos.training.anatomy.label_maps import synthetic_image
from ivos.training.anatomy.pseudo_structures import pseudo_structures
from ivos.training.anatomy.volumes import AnatomyVolumes, StoredVolumes, sources_of
from ivos.training.propagation_settings import AnatomySettings
from ivos.volume.geometry import Geometry
from ivos.volume.volume import Volume

if TYPE_CHECKING:
    from pathlib import Path


def blocks(side: int = 40) -> np.ndarray:
    """A map of two touching blocks and a ball."""
    labels = np.zeros((side, side, side), np.uint8)
    labels[5:30, 5:20, 5:20] = 1
    labels[5:30, 20:35, 5:20] = 2
    z, y, x = np.indices(labels.shape)
    labels[(z - 20) ** 2 + (y - 20) ** 2 + (x - 29) ** 2 < 64] = 3
    return labels


def write(path: Path, array: np.ndarray, spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    ivos.write(path, Volume.from_array(array, Geometry(array.shape, spacing_mm, (0.0, 0.0, 0.0))))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "maps" / "heart" / "a.nii.gz", blocks())
    write(tmp_path / "maps" / "spine" / "b.nii.gz", blocks())
    rng = np.random.default_rng(0)
    image = 100 * (blocks() == 1) + 200 * (blocks() == 3) + rng.normal(0, 5, (40, 40, 40))
    for name in ("one", "two"):
        write(tmp_path / "cohort" / "images" / f"{name}.nii.gz", np.rint(image).astype(np.int16))
    write(tmp_path / "cohort" / "labels" / "one.nii.gz", (blocks() == 3).astype(np.uint8))
    return tmp_path


def settings(folder: Path, *held_out: str) -> AnatomySettings:
    return AnatomySettings(label_maps=(folder / "maps",), scans=(folder / "cohort",), held_out=held_out)


@pytest.mark.parametrize("seed", range(8))
def test_an_image_of_a_map_has_its_labels_and_is_the_same_for_the_same_seed(seed: int) -> None:
    image, labels, spacing_mm = synthetic_image(blocks(), (1.0, 1.0, 1.0), np.random.default_rng(seed))
    assert image.shape == labels.shape
    assert 0 <= image.min() < image.max() <= 1
    assert set(np.unique(labels)) <= {0, 1, 2, 3}
    assert labels.any()
    assert 0.8 <= spacing_mm[1] <= 2.2
    again, _, _ = synthetic_image(blocks(), (1.0, 1.0, 1.0), np.random.default_rng(seed))
    np.testing.assert_array_equal(image, again)


def test_regions_follow_borders_that_can_be_seen() -> None:
    z, y, x = np.indices((30, 48, 48))
    ball = (z - 15) ** 2 + (y - 24) ** 2 + (x - 24) ** 2 < 81
    image = np.where(ball, 0.8, 0.3).astype(np.float32) + np.random.default_rng(0).normal(0, 0.01, ball.shape)
    found = pseudo_structures(image.astype(np.float32), (1.0, 1.0, 1.0), np.random.default_rng(1))
    overlaps = [2 * (ball & (found == k)).sum() / (ball.sum() + (found == k).sum()) for k in np.unique(found) if k]
    assert max(overlaps) > 0.85


def test_what_is_held_out_is_not_learned_from(folder: Path) -> None:
    chosen = settings(folder, "maps/spine/*", "cohort/images/two*")
    learned, held_out = (sources_of(chosen, held_out=which) for which in (False, True))
    files = [{path.name for source in part for path in source.files} for part in (learned, held_out)]
    assert files == [{"a.nii.gz", "one.nii.gz"}, {"b.nii.gz", "two.nii.gz"}]


def test_labels_beside_scans_are_learned_and_not_taken_for_scans(folder: Path) -> None:
    scans = [source for source in sources_of(settings(folder), held_out=False) if source.kind == "scan"]
    assert [path.name for source in scans for path in source.files] == ["one.nii.gz", "two.nii.gz"]
    assert [label is not None for source in scans for label in source.labels] == [True, False]


def test_the_same_number_gives_the_same_volume(folder: Path) -> None:
    make = AnatomyVolumes(sources_of(settings(folder), held_out=False), phantoms=False)
    for number in range(6):
        first, again = make(number), make(number)
        np.testing.assert_array_equal(first.images, again.images)
        np.testing.assert_array_equal(first.labels, again.labels)
        assert first.images.shape == (len(first.labels), 3, *first.labels.shape[1:])


def test_stored_volumes_are_those_that_were_made(folder: Path, tmp_path: Path) -> None:
    make = AnatomyVolumes(sources_of(settings(folder), held_out=False), phantoms=False)
    stored = StoredVolumes(make, tmp_path / "kept", 3)
    made, kept = stored.volume(1), stored.volume(1)
    np.testing.assert_array_equal(made.images, kept.images)
    np.testing.assert_array_equal(made.labels, kept.labels)
    np.testing.assert_allclose(made.spacing_mm, kept.spacing_mm)
    assert len(list((tmp_path / "kept").iterdir())) == 1
    np.testing.assert_array_equal(stored(12).images, stored(12).images)


def test_folders_without_scans_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        sources_of(settings(tmp_path), held_out=False)
    with pytest.raises(InputError, match="no NIfTI files"):
        sources_of(AnatomySettings(), held_out=False)
