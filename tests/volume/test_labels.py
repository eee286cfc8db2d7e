from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivos.errors import InputError
from ivos.volume.geometry import Geometry
from ivos.volume.labels import (
    BUNDLED,
    apply_mapping,
    bundled_scheme,
    canonical_name,
    ignore_id,
    ignored_ids,
    ignored_in,
    ignoring,
    load_scheme,
    mapping,
    scheme_from_names,
    structures_in,
    with_ignore,
    without_ignored,
)
from ivos.volume.volume import Volume

GRID = Geometry((2, 2, 2), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))

TOTALSEGMENTATOR_TO_FLARE22 = {5: 1, 2: 2, 1: 3, 7: 4, 52: 5, 63: 6, 8: 7, 9: 8, 4: 9, 15: 10, 6: 11, 19: 12, 3: 13}


def test_bundled_schemes_hold_what_they_should() -> None:
    counts = {name: len(bundled_scheme(name).labels) for name in BUNDLED}
    assert counts == {"flare22": 13, "amos": 15, "btcv": 13, "totalsegmentator": 117}
    assert bundled_scheme("flare22").names[13] == "kidney_left"
    assert bundled_scheme("amos").names[9] == "inferior_vena_cava"
    assert bundled_scheme("btcv").names[10] == "portal_vein_and_splenic_vein"


def test_totalsegmentator_to_flare22() -> None:
    assert mapping(bundled_scheme("totalsegmentator"), bundled_scheme("flare22")) == TOTALSEGMENTATOR_TO_FLARE22


def test_amos_and_flare22_share_thirteen_organs_both_ways() -> None:
    there = mapping(bundled_scheme("amos"), bundled_scheme("flare22"))
    back = mapping(bundled_scheme("flare22"), bundled_scheme("amos"))
    assert len(there) == 13
    assert {back[new]: new for new in there.values()} == there


@pytest.mark.parametrize("name", ["Right Kidney", "kidney-right", "RIGHT_KIDNEY", "kidney right"])
def test_spellings(name: str) -> None:
    assert canonical_name(name) == "kidney_right"


def test_an_organ_has_one_colour_in_all_schemes_and_others_differ() -> None:
    spleens = {s.colour(next(la.id for la in s.labels if la.name == "spleen")) for s in map(bundled_scheme, BUNDLED)}
    assert len(spleens) == 1
    assert len({label.colour for label in bundled_scheme("flare22").labels}) == 13
    assert len({label.colour for label in bundled_scheme("totalsegmentator").labels}) > 110
    assert bundled_scheme("flare22").colour(99) == bundled_scheme("amos").colour(99)


def test_mapping_an_array_drops_what_has_no_counterpart() -> None:
    array = np.array([[0, 5, 2], [77, 52, 5]], np.uint16)
    mapped = apply_mapping(array, TOTALSEGMENTATOR_TO_FLARE22)
    np.testing.assert_array_equal(mapped, [[0, 1, 2], [0, 5, 1]])
    assert mapped.dtype == np.uint8


@pytest.mark.parametrize(
    "content",
    [
        {"1": "liver", "2": "spleen"},
        {"background": 0, "liver": 1, "spleen": 2},
        {"labels": {"background": 0, "liver": 1, "spleen": 2}, "numTraining": 3},
        {"labels": [{"id": 1, "name": "liver"}, {"id": 2, "name": "spleen", "color": [1, 2, 3]}]},
    ],
)
def test_own_schemes(tmp_path: Path, content: object) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(content))
    assert load_scheme(path).names == {1: "liver", 2: "spleen"}


@pytest.mark.parametrize(
    "text", ["", "[1, 2]", '{"liver": "one"}', '{"labels": [{"id": -1, "name": "x"}]}', '{"labels": [{"id": 1}]}', "{"]
)
def test_bad_schemes_are_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(InputError, match="not a label scheme") as caught:
        load_scheme(path)
    assert "\n" not in str(caught.value)


def test_a_name_given_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text('{"labels": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}')
    with pytest.raises(InputError, match="named twice"):
        load_scheme(path)


def test_names_from_a_file_make_a_scheme() -> None:
    assert scheme_from_names({7: "Spleen"}).colour(7) == bundled_scheme("flare22").colour(3)


def test_what_is_named_ignore_elsewhere_is_named_so() -> None:
    labels = Volume.from_array(np.arange(8, dtype=np.uint8).reshape(2, 2, 2), GRID, names={1: "liver", 2: "Ignore"})
    found = with_ignore(labels, {1: "ignore", 3: " IGNORE ", 4: "ignored", 255: "spleen"})  # the file's own go first
    assert found.names == {1: "liver", 2: "Ignore", 3: "ignore"}
    assert ignored_ids(found.names) == {2, 3}
    assert np.flatnonzero(ignored_in(found)).tolist() == [2, 3]
    assert structures_in(found.array, found.names) == [1, 4, 5, 6, 7]
    plain = without_ignored(found)
    assert plain.array.ravel().tolist() == [0, 1, 0, 0, 4, 5, 6, 7]
    assert plain.names == {1: "liver"}
    assert with_ignore(labels, {5: "spleen"}) is labels
    assert ignored_ids(ignoring(labels, 1).names) == {1, 2}
    assert ignoring(labels, None) is labels


@given(st.dictionaries(st.integers(1, 400), st.sampled_from(["liver", "ignored", "do not ignore", "255", ""])))
def test_no_other_name_and_no_id_makes_a_label_ignored(names: dict[int, str]) -> None:
    labels = Volume.from_array(np.array([0, 1, 2, 254, 255, 255, 256, 300]).reshape(2, 2, 2), GRID, names=names)
    assert structures_in(labels.array, labels.names) == [1, 2, 254, 255, 256, 300]
    assert not ignored_in(labels).any()
    assert without_ignored(labels) is labels


def test_an_id_for_ignore_is_no_structure_s() -> None:
    assert ignore_id([]) == 255
    assert ignore_id([1, 254, 256]) == 255
    assert ignore_id([1, 255, 253]) == 256
    assert ignore_id([255, 1004]) == 1005
