"""Which slice to draw next, from what is known of a propagation."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ivos.errors import InputError
from ivos.propagation.annotations import Annotations, annotations_along
from ivos.propagation.bidirectional import Propagated, SliceStack, walk
from ivos.propagation.engines.nearest import NearestEngine
from ivos.propagation.masks import Masks
from ivos.types import Axis
from ivos.uncertainty.expected_errors import expected_errors, expected_unseen_structures
from ivos.uncertainty.features import QualityFeatures
from ivos.uncertainty.suggest import collect_features, rank, suggest
from ivos.volume.windows import windows_for
from tests.propagation.scenes import drawn_on, moving_discs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


SLICES = 40


def scene(
    there: Mapping[int, range],
    drawn: Sequence[int],
    *,
    sure: Mapping[int, Mapping[int, float]] | None = None,
    complete: bool = True,
) -> tuple[QualityFeatures, Annotations]:
    """Squares by label id on some slices, found with probability 0.98, or as ``sure`` says slice by slice."""
    labels = np.zeros((SLICES, 8, 8 * len(there)), np.uint8)
    for place, (label, numbers) in enumerate(there.items()):
        labels[numbers.start : numbers.stop, 1:7, 8 * place + 1 : 8 * place + 7] = label
    on_drawn = np.zeros_like(labels)
    on_drawn[list(drawn)] = labels[list(drawn)]
    structures = tuple(int(k) for k in np.unique(on_drawn) if k)
    annotations = Annotations(on_drawn, structures, frozenset(drawn if complete else ()))
    evidence = QualityFeatures.of(SLICES, len(structures))
    for n in range(SLICES):
        given = {k: (sure or {}).get(k, {}).get(n, 0.98) for k in structures}
        likely = np.array([np.where(labels[n] == k, given[k], 0) for k in structures], np.float32)
        masks = annotations.masks(n) if n in drawn else Masks.of(likely)
        collect_features(evidence, Propagated(n, masks))
    return evidence, annotations


def rearranged(evidence: QualityFeatures, rows: slice, columns: slice) -> QualityFeatures:
    parts = (evidence.voxels, evidence.probable, evidence.certain, evidence.entropy)
    voxels, probable, certain, entropy = (part[rows, columns].copy() for part in parts)
    return QualityFeatures(voxels, probable, certain, entropy)


def numbers(evidence: QualityFeatures, annotations: Annotations, count: int = 5) -> list[int]:
    return [s.index for s in rank(evidence, annotations, count=count).slices]


def test_a_doubtful_stretch_is_drawn_first_and_for_its_structure() -> None:
    doubtful = dict.fromkeys(range(19, 24), 0.55)
    found = rank(*scene({3: range(2, 38), 5: range(2, 38)}, (3, 15, 27, 36), sure={5: doubtful}), exploring=False)
    first = found.slices[0]
    assert first.index in range(19, 24)
    assert (first.structure, first.why) == (5, "uncertain")
    assert first.gain > found.slices[1].gain
    for_5 = next(s for s in found.by_structure if s.structure == 5)
    assert for_5.index in range(19, 24)


def test_where_nothing_is_special_the_widest_gap_is_halved() -> None:
    evidence, annotations = scene({3: range(SLICES)}, (4, 12, 36))
    errors = expected_errors(evidence, annotations)
    assert errors.total[[4, 12, 36]].max() == 0
    assert errors.far[24] > errors.far[20] > errors.far[8] > 0
    first = rank(evidence, annotations, exploring=False).slices[0]
    assert 21 <= first.index <= 27
    assert first.why == "far"


def test_a_drawn_slice_is_never_suggested_and_none_twice() -> None:
    found = numbers(*scene({3: range(2, 38)}, (9, 30)), count=100)
    assert len(found) == len(set(found))
    assert not {9, 30} & set(found)


def test_suggestions_do_not_lie_side_by_side() -> None:
    doubtful = dict.fromkeys(range(12, 38), 0.55)
    found = numbers(*scene({3: range(2, 38)}, (4,), sure={3: doubtful}), count=3)
    assert len(found) == 3
    assert min(b - a for a, b in pairwise(sorted([4, *found]))) > 2


def test_passes_that_disagree_are_looked_into() -> None:
    evidence, annotations = scene({3: range(2, 38)}, (6, 20, 34))
    square = np.zeros((1, 8, 8), np.float32)
    square[0, 1:7, 1:7] = 1
    for n in (26, 27, 28):
        evidence.compare("passes", n, Masks.of(square), Masks.of(0 * square))
    first = rank(evidence, annotations, exploring=False).slices[0]
    assert first.index in (26, 27, 28)
    assert first.why == "passes disagree"


def test_small_structures_count_as_much_as_large_ones() -> None:
    there = {3: range(1, 39), 5: range(22, 31)}
    doubt = dict.fromkeys(range(1, 39), 0.6)
    found = rank(*scene(there, (5, 26, 36), sure={3: dict.fromkeys(range(10, 14), 0.6), 5: doubt}), exploring=False)
    assert found.slices[0].structure == 5


def test_an_end_that_fades_is_suggested_as_one() -> None:
    labels = np.zeros((SLICES, 12, 12), np.uint8)
    labels[10, 1:11, 1:11] = 3
    annotations = Annotations(labels, (3,))
    evidence = QualityFeatures.of(SLICES, 1)
    collect_features(evidence, Propagated(10, annotations.masks(10)))
    for n in range(11, 30):  # smaller and less sure slice by slice, without an end
        fading = np.zeros((1, 12, 12), np.float32)
        size = max(2, 10 - (n - 10))
        fading[0, 1 : 1 + size, 1 : 1 + size] = max(0.52, 0.98 - 0.04 * (n - 10))
        collect_features(evidence, Propagated(n, Masks.of(fading)))
    first = rank(evidence, annotations).slices[0]
    assert 11 < first.index < 24
    assert first.why == "end"


def test_an_end_right_beside_a_drawn_slice_is_one_too() -> None:
    """Drawn as far as slice 10, and carried no farther."""
    first = rank(*scene({3: range(11)}, range(11)), exploring=False).slices[0]
    assert first.index > 10
    assert first.why == "end"


def test_order_of_structures_and_flipping_make_no_difference() -> None:
    there = {3: range(3, 25), 5: range(14, 37)}
    sure = {3: dict.fromkeys(range(5, 8), 0.7), 5: dict.fromkeys(range(27, 32), 0.6)}
    evidence, annotations = scene(there, (11, 18), sure=sure)
    found = rank(evidence, annotations).slices
    assert len(found) == 5

    swapped = rearranged(evidence, slice(None), slice(None, None, -1))
    other = replace(annotations, structures=annotations.structures[::-1])
    for a, b in zip(found, rank(swapped, other).slices, strict=True):
        assert (a.index, a.structure, a.why) == (b.index, b.structure, b.why)
        assert a.gain == pytest.approx(b.gain)

    turned = Annotations(
        annotations.labels[::-1].copy(), annotations.structures, frozenset(SLICES - 1 - n for n in annotations.complete)
    )
    for a, b in zip(found, rank(rearranged(evidence, slice(None, None, -1), slice(None)), turned).slices, strict=True):
        assert (a.index, a.structure, a.why) == (SLICES - 1 - b.index, b.structure, b.why)
        assert a.gain == pytest.approx(b.gain)


def test_new_structures_are_looked_for_where_nothing_is_known_if_slices_are_complete() -> None:
    there = {3: range(4, 12), 5: range(6, 10)}  # far away a third one might be
    found = rank(*scene(there, (7, 9))).slices[0]
    assert found.index > 12
    assert (found.structure, found.why) == (None, "not drawn yet")
    assert all(s.structure is not None for s in rank(*scene(there, (7, 9), complete=False)).slices)
    assert all(s.structure is not None for s in rank(*scene(there, (7, 9)), exploring=False).slices)


def test_structures_still_to_be_found_are_where_they_would_have_been_missed() -> None:
    present, drawn = np.zeros((20, 2), bool), np.zeros(20, bool)
    present[1:8, 0] = present[3:9, 1] = True
    drawn[[5, 12]] = True
    found = expected_unseen_structures(present, drawn)
    assert found[drawn].max() == 0
    assert found[15:18].min() > found[0]  # 7 and 6 slices fit beyond slice 12, but not before slice 5
    fewer = drawn.copy()
    fewer[12] = False
    assert expected_unseen_structures(present, fewer)[9:].sum() > found[9:].sum()


def test_structures_still_to_be_found_rather_are_where_others_are() -> None:
    present, drawn = np.zeros((21, 1), bool), np.zeros(21, bool)
    present[8:17, 0] = True  # more of it above the drawn slice than below
    drawn[10] = True
    found = expected_unseen_structures(present, drawn)
    assert found[11:].sum() > found[:10].sum() > 0


def test_where_there_is_nothing_to_gain_nothing_is_suggested() -> None:
    everything = rank(*scene({3: range(2, 38)}, range(SLICES)))
    assert everything.slices == everything.by_structure == ()
    assert rank(*scene({3: range(2, 38)}, (9,)), count=0).slices == ()


def test_from_scan_and_slices_as_from_the_walk_that_has_just_been() -> None:
    scan, labels = moving_discs()
    drawn = drawn_on(labels, 2, 9)
    seen: list[tuple[int, int]] = []
    found = suggest(scan, drawn, count=3, engine=NearestEngine(), complete=True, progress=lambda *a: seen.append(a))
    assert seen[-1] == (len(seen), len(seen))
    annotations, evidence = annotations_along(drawn, Axis.AXIAL, complete=True), QualityFeatures.of(12, 2)
    for finished in walk(SliceStack(scan.array, windows_for(scan, "auto"), (1, 1)), annotations, NearestEngine()):
        if finished is not None:
            collect_features(evidence, finished)
    assert evidence.agreements["passes"].area_sum[5].min() > 0
    assert rank(evidence, annotations, count=3) == found
    assert found.axis == 0
    assert {s.structure for s in found.by_structure} == {3, 8}
    one = suggest(scan, drawn, engine=NearestEngine(), structures=[8], complete=True)
    assert {s.structure for s in (*one.slices, *one.by_structure)} == {8}
    with pytest.raises(InputError, match="not drawn anywhere"):
        suggest(scan, drawn, engine=NearestEngine(), structures=[4])
