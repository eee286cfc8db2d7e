"""Label 255 through the commands: a structure like any other, and "ignore" only where something names it so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import ivos as package
from ivos.interactive.session import InteractiveSession
from ivos.training.data.store import UNKNOWN, StoredScan
from tests.cli.runner import ivos, refused
from tests.propagation.scenes import drawn_on, moving_discs

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.volume.volume import Volume

SCAN, DISCS = moving_discs(size=48)
MASK = DISCS.with_array(np.where(DISCS.array == 3, np.uint8(255), np.uint8(0)))
"""0 and 255 alone, as programs for pictures write a mask."""
PARTS = DISCS.with_array(np.where(DISCS.array == 8, np.uint8(255), np.where(DISCS.array == 3, 251, 0)).astype(np.uint8))
"""As FreeSurfer numbers parts of the corpus callosum."""


def ids(volume: Volume) -> list[int]:
    return [int(label) for label in np.unique(volume.array)]


def scores(*arguments: object) -> dict[int, float]:
    done = ivos("evaluate", *map(str, arguments), "--json")
    assert done.returncode == 0, done.stderr
    return {score["structure"]: score["dsc"] for score in json.loads(done.stdout)["scores"]}


@pytest.mark.slow
@pytest.mark.parametrize(("labels", "present"), [(MASK, [255]), (PARTS, [251, 255])])
def test_it_is_propagated_and_suggested_for(labels: Volume, present: list[int], tmp_path: Path) -> None:
    scan, drawn, out = (tmp_path / f"{name}.nii.gz" for name in ("scan", "drawn", "out"))
    package.write(scan, SCAN)
    package.write(drawn, drawn_on(labels, 4))
    assert ivos("propagate", scan, "--annotations", drawn, "-o", out).returncode == 0
    assert ids(package.read_labels(out)) == [0, *present]
    assert scores(out, drawn)[255] > 0
    suggested = ivos("suggest", scan, "--annotations", drawn, "--json", "-n", 1)
    assert {row["structure"] for row in json.loads(suggested.stdout)["by_structure"]} == set(present)
    left = ("propagate", scan, "--annotations", drawn, "-o", out, "--ignore-label", 255)
    if present == [255]:
        assert "annotations are empty" in refused(*left)
    else:
        assert ivos(*left).returncode == 0
        assert ids(package.read_labels(out)) == [0, 251]


def test_what_is_wrong_of_it_counts_in_scores(tmp_path: Path) -> None:
    truth, found, named = (tmp_path / f"{name}.nii.gz" for name in ("truth", "found", "named"))
    package.write(truth, PARTS)
    package.write(found, PARTS.with_array(np.where(PARTS.array == 255, np.uint8(251), PARTS.array)))
    assert scores(found, truth)[255] == 0
    assert scores(found, truth)[251] < 1
    assert scores(truth, truth) == {251: 1, 255: 1}
    assert scores(found, truth, "--ignore-label", 255) == {251: 1}
    scheme = tmp_path / "scheme.json"
    scheme.write_text(json.dumps({"251": "posterior", "255": "ignore"}))
    assert scores(found, truth, "--scheme", scheme) == {251: 1}
    package.write(named, PARTS.with_array(PARTS.array, {255: "Ignore"}))
    assert scores(found, named) == {251: 1}
    assert scores(named, truth) == {251: 1, 255: 0}  # where a prediction says nothing, it has found nothing


@pytest.mark.parametrize("place", [".", ".."])
def test_a_data_set_names_it(place: str, tmp_path: Path) -> None:
    for folder, labels in (("truth", PARTS), ("found", PARTS.with_array(np.where(PARTS.array > 0, 251, 0)))):
        package.write(tmp_path / "x" / folder / "a.nii.gz", labels)
    (tmp_path / "x" / "truth" / place / "dataset.json").write_text(
        json.dumps({"labels": {"background": 0, "posterior": 251, "ignore": 255}})
    )
    assert scores(tmp_path / "x" / "found", tmp_path / "x" / "truth") == {251: 1}


@pytest.mark.parametrize("rule", ["majority", "staple"])
def test_it_is_joined_and_judged(rule: str, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder in folders:
        package.write(folder / "a.nii.gz", MASK)
    less = MASK.with_array(MASK.array * (np.arange(len(MASK.array)) > 3)[:, None, None].astype(np.uint8))
    package.write(folders[2] / "a.nii.gz", less)
    assert ivos("ensemble", *folders, "-o", tmp_path / "joined", "--rule", rule).returncode == 0
    np.testing.assert_array_equal(package.read_labels(tmp_path / "joined" / "a.nii.gz").array, MASK.array)
    judged = ("pseudo-label", *folders, "-o", tmp_path / "judged", "--consensus", rule, "--threshold", 0.1)
    assert ivos(*judged).returncode == 0
    np.testing.assert_array_equal(package.read_labels(tmp_path / "judged" / "a.nii.gz").array, MASK.array)
    done = ivos("pseudo-label", *folders, "-o", tmp_path / "other", "--ignore-label", 255)
    assert done.returncode == 1
    assert "label 255, 'ignore', which is not a structure" in done.stderr


def test_predictions_may_have_different_ids_for_ignore(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder, label in zip(folders, (9, 77), strict=True):
        named = PARTS.with_array(np.where(PARTS.array == 251, label, PARTS.array), {label: "ignore"})
        package.write(folder / "a.nii.gz", named)
    assert ivos("ensemble", *folders, "-o", tmp_path / "out").returncode == 0
    joined = package.read_labels(tmp_path / "out" / "a.nii.gz")
    assert joined.names == {256: "ignore"}  # 255 is a structure here
    np.testing.assert_array_equal(joined.array, np.where(PARTS.array == 251, 256, PARTS.array.astype(int)))


@pytest.mark.parametrize(("options", "said"), [((), [251, 255]), (("--ignore-label", 255), [251])])
def test_it_is_prepared(options: tuple[Any, ...], said: list[int], tmp_path: Path) -> None:
    for case in "ab":
        package.write(tmp_path / "raw" / "images" / f"{case}.nii.gz", SCAN)
        package.write(tmp_path / "raw" / "labels" / f"{case}.nii.gz", PARTS)
    out = tmp_path / "out"
    assert ivos("prepare", tmp_path / "raw", "-o", out, "--workers", 1, *options).returncode == 0
    stored = StoredScan(out / "scans" / "a.b2nd")
    assert sorted(stored.info.volumes_ml or {}) == said
    left = np.where(PARTS.array == 255, UNKNOWN, PARTS.array.astype(int)) if options else PARTS.array
    np.testing.assert_array_equal(stored.labels().array, left)
    assert (out / "refused.csv").read_text().split() == ["case,reason"]


def test_the_page_has_it_as_a_structure() -> None:
    session = InteractiveSession(SCAN)
    session.load_labels(drawn_on(PARTS, 4), drawn=True)
    assert [label.id for label in session.structures] == [251, 255]
    session.load_labels(MASK.with_array(MASK.array, {255: "ignore"}))  # says nothing
    assert (session.labels.array == drawn_on(PARTS, 4).array).all()
