"""Several predictions into one: hand-worked votes, what no rule may do, and probabilities in files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import ivos
from ivos.errors import InputError
from ivos.io.probabilities import read_probabilities, read_probability, write_probabilities
from ivos.segmentation.ensemble import majority, mean_probability, pairwise_dsc, staple
from tests.io.grids import image_of
from tests.propagation.scenes import moving_discs, volume_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from ivos.volume.volume import Volume

SHAPES = array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=4)
LABELS = SHAPES.flatmap(lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 1, 2, 9])))
SEVERAL = SHAPES.flatmap(
    lambda shape: st.lists(
        arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 1, 2, 9])).map(volume_of), min_size=2, max_size=5
    )
)


def row(*labels: int) -> Volume:
    """A volume that says this along x, twice in y and z."""
    return volume_of(np.tile(np.array(labels, np.uint8), (2, 2, 1)))


def said(volume: Volume) -> list[int]:
    line: list[int] = volume.array[0, 0].tolist()
    return line


def certain(labels: list[Volume]) -> dict[int, list[npt.NDArray[Any]]]:
    """Probabilities of 0 and 1 that say the same as the labels."""
    return {label: [np.where(v.array == label, np.uint8(255), np.uint8(0)) for v in labels] for label in (1, 2, 9)}


def test_a_vote_by_hand() -> None:
    found = majority([row(1, 1, 0, 2), row(1, 2, 0, 0), row(1, 2, 3, 2)])
    assert said(found.labels) == [1, 2, 0, 2]
    assert said(found.agreement) == [255, 170, 170, 170]


def test_a_tie_goes_to_the_prediction_that_agrees_most_with_the_others() -> None:
    lonely, centre, near = row(3, 0, 0, 0, 4), row(1, 1, 1, 1, 0), row(2, 1, 1, 1, 0)
    for labels in ([lonely, near, centre], [centre, near, lonely]):  # near has a structure that nobody else has
        assert said(majority(labels).labels) == [1, 1, 1, 1, 0]
    assert said(majority([row(1, 2), row(1, 3)]).labels) == [1, 2]  # two are equals: the first
    assert said(majority([row(1, 3), row(1, 2)]).labels) == [1, 3]


def test_dsc_of_each_with_each() -> None:
    tables = pairwise_dsc([row(1, 1, 0, 0), row(1, 0, 0, 0), row(0, 0, 5, 5)])
    nan = np.nan
    np.testing.assert_allclose(tables[1], np.array([[1, 2 / 3, 0], [2 / 3, 1, 0], [0, 0, nan]]))
    np.testing.assert_allclose(tables[5], np.array([[nan, nan, 0], [nan, nan, 0], [0, 0, 1]]))


@given(LABELS, st.integers(2, 4))
def test_a_consensus_of_the_same_is_the_same(array: npt.NDArray[np.uint8], count: int) -> None:
    labels = [volume_of(array)] * count
    for found in (majority(labels), staple(labels), mean_probability(labels, certain(labels))):
        np.testing.assert_array_equal(found.labels.array, array)
        assert (found.agreement.array == 255).all()


@settings(max_examples=40)
@given(SEVERAL, st.randoms(use_true_random=False))
def test_no_rule_depends_on_the_order_but_where_votes_are_equal(labels: list[Volume], random: Any) -> None:
    mixed = random.sample(labels, len(labels))
    votes = [Counter(at) for at in zip(*(v.array.ravel().tolist() for v in labels), strict=True)]
    most = [max(counted.values()) for counted in votes]
    for found in (majority(labels), majority(mixed)):
        for label, counted, highest in zip(found.labels.array.flat, votes, most, strict=True):
            assert counted[int(label)] == highest
        assert found.agreement.array.ravel().tolist() == [round(n * 255 / len(labels)) for n in most]
    np.testing.assert_array_equal(staple(labels).labels.array, staple(mixed).labels.array)
    first, second = (mean_probability(some, certain(some)).labels.array for some in (labels, mixed))
    np.testing.assert_array_equal(first, second)


@settings(max_examples=40)
@given(SEVERAL)
def test_staple_says_nothing_that_nobody_said(labels: list[Volume]) -> None:
    found = staple(labels).labels.array
    assert ((found == 0) | np.any([volume.array == found for volume in labels], axis=0)).all()


def test_staple_trusts_those_who_miss_nothing() -> None:
    truth = np.zeros((12, 16, 16), np.uint8)
    truth[2:10, 3:13, 3:13] = 1
    careless = [truth.copy() for _ in range(3)]
    for number, array in enumerate(careless):
        array[:, :, 11:] = 0  # what three miss is outvoted
        array[:, 3 + 3 * number : 6 + 3 * number] = 0
    labels = [volume_of(array) for array in (truth, truth, *careless)]
    assert not majority(labels).labels.array[:, :, 11:].any()
    assert (staple(labels).labels.array == truth).all()


@settings(max_examples=40)
@given(SHAPES.flatmap(lambda shape: arrays(bool, (4, *shape))))
def test_staple_is_the_expectation_maximisation_of_its_paper(masks: npt.NDArray[np.bool_]) -> None:
    decisions = (
        np.pad(masks[(slice(None), *bounds(masks))], ((0, 0), (2, 2), (2, 2), (2, 2))).reshape(4, -1).astype(float)
    )
    truth, prior = decisions.mean(axis=0), decisions.mean()
    for _ in range(100 if masks.any() else 0):
        sensitivity = (decisions @ truth) / truth.sum()
        specificity = ((1 - decisions) @ (1 - truth)) / (1 - truth).sum()
        there = prior * np.where(decisions, sensitivity[:, None], 1 - sensitivity[:, None]).prod(axis=0)
        away = (1 - prior) * np.where(decisions, 1 - specificity[:, None], specificity[:, None]).prod(axis=0)
        truth = there / (there + away)
    assume(not np.isclose(truth, 0.5, atol=1e-3).any())
    found = staple([volume_of(mask.astype(np.uint8)) for mask in masks]).labels.array
    assert np.count_nonzero(found) == np.count_nonzero(truth > 0.5)


def bounds(masks: npt.NDArray[np.bool_]) -> tuple[slice, ...]:
    """The box around what is in any mask."""
    where = np.nonzero(masks.any(axis=0))
    return tuple(slice(int(n.min()), int(n.max()) + 1) if n.size else slice(None) for n in where)


def test_staple_where_a_structure_fills_the_scan_or_one_alone_sees_it() -> None:
    full, half = np.ones((4, 4, 4), np.uint8), np.ones((4, 4, 4), np.uint8)
    half[2:] = 0
    assert (staple([volume_of(full), volume_of(full), volume_of(half)]).labels.array == 1).all()
    assert not staple([volume_of(half), volume_of(half * 0), volume_of(half * 0)]).labels.array.any()


@settings(max_examples=40)
@given(SHAPES.flatmap(lambda shape: arrays(np.uint8, (3, 3, *shape))))
def test_mean_probability_is_the_highest_mean(maps: npt.NDArray[np.uint8]) -> None:
    maps //= 3  # three structures and what they leave
    models = [volume_of(np.zeros(maps.shape[2:], np.uint8))] * 3
    found = mean_probability(models, {label: iter(maps[:, n]) for n, label in enumerate((2, 5, 300))})
    summed = maps.astype(int).sum(axis=0)
    best = np.array([2, 5, 300])[summed.argmax(axis=0)]
    expected = np.where(summed.max(axis=0) > 3 * 255 - summed.sum(axis=0), best, 0)
    np.testing.assert_array_equal(found.labels.array, expected)


def test_means_that_are_equal() -> None:
    maps = {label: [np.full((2, 2, 2), value, np.uint8)] * 2 for label, value in ((4, 100), (7, 100), (9, 55))}
    assert said(mean_probability([row(0, 0)] * 2, maps).labels) == [4, 4]
    half = {4: [np.full((2, 2, 2), value, np.uint8) for value in (255, 0)]}  # as much is left for the background
    assert said(mean_probability([row(4, 4), row(0, 0)], half).labels) == [0, 0]


def test_names_are_joined_and_must_not_contradict() -> None:
    first, second = (row(1, 2).with_array(row(1, 2).array, names) for names in ({1: "left kidney"}, {2: "spleen"}))
    assert majority([first, second]).labels.names == {1: "left kidney", 2: "spleen"}
    other = second.with_array(second.array, {1: "kidney_left", 2: "liver"})
    with pytest.raises(InputError, match="label 2 is 'spleen' in one prediction and 'liver' in another"):
        majority([first, second, other])
    with pytest.raises(ValueError, match="two or more"):
        staple([first])
    with pytest.raises(ValueError, match="shapes"):
        majority([first, row(1, 2, 3)])


@pytest.fixture
def scan(tmp_path: Path) -> Volume:
    """A scan whose file has another axis order and directions than the array."""
    path = tmp_path / "scan.nii.gz"
    image = image_of(np.arange(6 * 7 * 8, dtype=np.int16).reshape(6, 7, 8))
    sitk.WriteImage(sitk.DICOMOrient(image, "SAR"), str(path))
    return ivos.read(path)


def test_probabilities_come_back_from_files_as_they_went(tmp_path: Path, scan: Volume) -> None:
    ramp = (np.arange(scan.array.size) % 256).astype(np.uint8).reshape(scan.array.shape)
    odd = "../a b/c:*?\N{GREEK SMALL LETTER MU}\n" + "x" * 300
    write_probabilities(tmp_path, "case", scan, iter([(3, "spleen", ramp), (12, odd, 255 - ramp)]))
    files = read_probabilities(tmp_path, "case")
    assert list(files) == [3, 12]
    assert files[3] == tmp_path / "probabilities" / "case" / "3_spleen.nii.gz"
    assert files[12].parent == files[3].parent
    np.testing.assert_array_equal(read_probability(files[3], scan), ramp)
    np.testing.assert_array_equal(read_probability(files[12], scan), 255 - ramp)
    assert ivos.read(files[3]).source.shape == scan.source.shape


def test_probabilities_of_a_case_are_all_there_or_as_before(
    tmp_path: Path, scan: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    ramp = scan.array.astype(np.uint8)
    write_probabilities(tmp_path, "case", scan, [(1, "liver", ramp), (2, "spleen", ramp)])

    def broken() -> Iterator[tuple[int, str, npt.NDArray[np.uint8]]]:
        yield 5, "aorta", ramp
        raise InputError("no more")

    with pytest.raises(InputError, match="no more"):
        write_probabilities(tmp_path, "case", scan, broken())
    assert list(read_probabilities(tmp_path, "case")) == [1, 2]

    def full(path: Path, target: Path) -> Path:
        if path.name == "new":
            raise OSError(28, "No space left on device")
        return rename(path, target)

    rename = Path.replace
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        with pytest.raises(OSError, match="No space left"):
            write_probabilities(tmp_path, "case", scan, [(5, "aorta", ramp)])
    assert list(read_probabilities(tmp_path, "case")) == [1, 2]
    write_probabilities(tmp_path, "case", scan, [(5, "aorta", ramp)])
    assert list(read_probabilities(tmp_path, "case")) == [5]
    assert [path.name for path in (tmp_path / "probabilities").iterdir()] == ["case"]


def test_probabilities_that_are_none_are_refused(tmp_path: Path, scan: Volume) -> None:
    ramp = scan.array.astype(np.uint8)
    with pytest.raises(InputError, match="no probabilities; 'ivos segment"):
        read_probabilities(tmp_path, "case")
    with pytest.raises(ValueError, match="float64: uint8 is wanted"):
        write_probabilities(tmp_path, "case", scan, [(1, "liver", ramp / 255)])
    write_probabilities(tmp_path, "case", scan, [(1, "liver", ramp)])
    place = tmp_path / "probabilities" / "case"
    with pytest.raises(InputError, match="grid"):
        read_probability(place / "1_liver.nii.gz", moving_discs()[1])
    ivos.write(place / "01_spleen.nii.gz", scan)
    with pytest.raises(InputError, match="voxels are int16"):
        read_probability(place / "01_spleen.nii.gz", scan)
    with pytest.raises(InputError, match="label 1 are there twice"):
        read_probabilities(tmp_path, "case")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written here"):
        write_probabilities(tmp_path / "file", "case", scan, [(1, "liver", ramp)])
