"""Structures of the bundled schemes as concepts: which have one, and the right one."""

from __future__ import annotations

import pytest

from ivos.io.dicom.anatomy_codes import OWN_SCHEME, concept_of, concept_or_own
from ivos.volume.labels import BUNDLED, bundled_scheme

CODED = {"flare22": 13, "amos": 14, "btcv": 12, "totalsegmentator": 104}


@pytest.mark.parametrize("name", BUNDLED)
def test_so_many_structures_have_a_concept_and_the_others_a_code_of_our_own(name: str) -> None:
    labels = bundled_scheme(name).labels
    assert sum(concept_of(label.name) is not None for label in labels) == CODED[name]
    own = [concept_or_own(label).kind for label in labels if concept_of(label.name) is None]
    assert {code.scheme_designator for code in own} <= {OWN_SCHEME}
    assert len({code.value for code in own}) == len(own)


def test_concepts_tell_structures_apart_but_ribs_by_side_alone() -> None:
    labels = bundled_scheme("totalsegmentator").labels
    others = [label.name for label in labels if not label.name.startswith("rib_") and concept_of(label.name)]
    assert len({concept_of(name) for name in others}) == len(others)
    assert concept_of("rib_left_3") == concept_of("rib_left_9") != concept_of("rib_right_3")


@pytest.mark.parametrize(
    ("name", "code", "side"),
    [
        ("Left Kidney", "64033007", "Left"),
        ("postcava", "64131007", None),
        ("vertebrae_C1", "14806007", None),
        ("lung_middle_lobe_right", "72481006", None),
        ("clavicula_right", "51299004", "Right"),
    ],
)
def test_a_structure_under_any_of_its_names(name: str, code: str, side: str | None) -> None:
    concept = concept_of(name)
    assert concept is not None
    assert (concept.kind.value, concept.kind.scheme_designator) == (code, "SCT")
    assert (concept.side and concept.side.meaning) == side


@pytest.mark.parametrize("name", ["liver_left", "vertebrae_L9", "rib", "tumour", ""])
def test_what_is_not_certain_has_none_or_no_side(name: str) -> None:
    concept = concept_of(name)
    assert concept is None or concept.side is None
