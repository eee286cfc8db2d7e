"""Labels under one numbering: by id, by name, and where neither can decide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivos.errors import InputError
from ivos.volume.geometry import Geometry
from ivos.volume.label_matching import in_one_numbering, matched_ids, scheme_ids, table_of
from ivos.volume.volume import Volume

NAMES = ("liver", "spleen", "kidney_left", "kidney_right", "aorta", "肝脏", "stomach [top]")


def volume(names: dict[int, str], present: list[int] | None = None) -> Volume:
    """A voxel of each of the labels."""
    ids = list(names) if present is None else present
    array = np.zeros((2, 3, 12), np.uint16)
    array[0, 0, : len(ids)] = ids
    return Volume.from_array(array, Geometry((2, 3, 12), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)), names=names)


def ids(found: Volume, reference: Volume, by: str = "auto") -> dict[int, int] | None:
    return matched_ids(table_of(found, "P"), table_of(reference, "T"), by)  # type: ignore[arg-type]


@given(st.permutations(range(1, 8)), st.permutations(range(1, 8)))
def test_whatever_the_numbering_the_same_names_are_the_same_structures(one: list[int], other: list[int]) -> None:
    first, second = (volume(dict(zip(numbers, NAMES, strict=True))) for numbers in (one, other))
    wanted = dict(zip(one, other, strict=True))
    assert (ids(first, second) or {k: k for k in one}) == wanted
    joined = in_one_numbering([second, first], [Path("t"), Path("p")], note=lambda _: None)[1]
    assert joined.names == second.names
    np.testing.assert_array_equal(joined.array, np.vectorize(lambda k: wanted.get(k, 0))(first.array))


@pytest.mark.parametrize(
    ("found", "reference", "expected"),
    [
        ({1: "liver", 2: "spleen"}, {1: "liver", 2: "spleen"}, None),
        ({1: "Liver", 2: "Right Kidney"}, {1: "liver", 2: "kidney_right"}, None),  # one spelling
        ({1: "liver"}, {2: "liver"}, {1: 2}),  # no id in both, and yet not the same numbering
        ({1: "spleen", 2: "liver"}, {1: "liver", 2: "spleen", 3: "aorta"}, {1: 2, 2: 1}),
        ({1: "liver", 2: "aorta", 3: "spleen"}, {2: "liver", 3: "spleen"}, {1: 2, 3: 3, 2: 4}),  # the aorta's is taken
        ({1: "spleen", 9: "stomach", 2: "liver"}, {1: "liver", 2: "spleen"}, {1: 2, 2: 1, 9: 9}),
        ({1: "Segment_1", 2: "label 2"}, {1: "liver", 2: "spleen"}, None),  # names that say nothing
        ({}, {1: "liver"}, None),
        ({1: "postcava", 2: "aorta"}, {1: "aorta", 2: "inferior vena cava"}, {1: 2, 2: 1}),
        ({1: "a" * 70 + "b"}, {1: "a" * 30 + "..." + "a" * 30 + "b"}, None),  # cut to what DICOM has room for
        ({1: "a\u0308"}, {1: "\u00e4"}, None),  # composed and not
    ],
)
def test_numberings(found: dict[int, str], reference: dict[int, str], expected: dict[int, int] | None) -> None:
    assert ids(volume(found), volume(reference)) == expected


def test_names_without_voxels_neither_contradict_nor_stay() -> None:
    table = {1: "spleen", 5: "liver"}
    found, reference = volume(table, [5]), volume({1: "liver", 5: "aorta"}, [1])
    assert ids(found, reference) == {5: 1}
    same = in_one_numbering(
        [volume({1: "liver", 2: "aorta"}, [1]), volume({1: "liver", 2: "spleen"}, [1])], [Path()] * 2
    )
    assert same[1].names == {1: "liver"}


@pytest.mark.parametrize(
    ("found", "reference", "present", "message"),
    [
        ({1: "spleen"}, {1: "liver"}, None, r"label 1 is 'spleen' in P and 'liver' in T.*--by id or --by name"),
        ({1: "liver", 2: "lesion"}, {1: "liver", 2: "cyst"}, None, "label 2 is 'lesion' in P and 'cyst' in T"),
        ({1: "liver", 3: "x"}, {2: "liver", 4: "y"}, None, "'liver' is label 1 in P and 2 in T"),
        (
            {1: "spleen", 2: "liver"},
            {1: "liver", 2: "spleen", 3: "aorta"},
            [1, 2, 3],
            "label 3 has no name, and is 'aor",
        ),
        ({1: "lung", 2: "lung", 3: "liver"}, {1: "liver", 2: "lung"}, None, "labels 1 and 2 are both called 'lung'"),
    ],
)
def test_names_that_cannot_decide_are_refused(
    found: dict[int, str], reference: dict[int, str], present: list[int] | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        ids(volume(found, present), volume(reference))
    assert ids(volume(found, present), volume(reference), "id") is None


def test_by_name_alone() -> None:
    assert ids(volume({1: "spleen"}), volume({1: "liver"}), "name") == {1: 2}  # another structure
    assert ids(volume({1: "liver"}), volume({1: "liver", 2: "spleen"}), "name") is None
    with pytest.raises(InputError, match="label 7 has no name to match it by"):
        ids(volume({}, [7]), volume({1: "liver"}), "name")


def test_ignored_voxels_stay_ignored() -> None:
    found = volume({1: "spleen", 2: "liver", 3: "ignore"})
    assert ids(found, volume({1: "liver", 2: "spleen", 3: "aorta"})) == {1: 2, 2: 1, 3: 4}
    assert ids(found, volume({1: "liver", 2: "spleen", 255: "ignore"})) == {1: 2, 2: 1, 3: 255}


def test_a_scheme_goes_before_names_but_not_against_them() -> None:
    scheme = {1: "liver", 2: "kidney_right", 3: "spleen"}
    assert scheme_ids(table_of(volume({1: "Leber", 2: "Niere"}), "P"), scheme) is None  # it says what the ids are
    assert scheme_ids(table_of(volume({1: "spleen", 5: "liver"}), "P"), scheme) == {1: 3, 5: 1}
    with pytest.raises(
        InputError, match=r"label 1 is called 'spleen', which is 3 in the scheme.*no 'lung' \(label 9\)"
    ):
        scheme_ids(table_of(volume({1: "spleen", 9: "lung"}), "P"), scheme)
