"""Predictions into labels to train on: what is trusted, what is left open, and that no organ hides behind others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pydantic import ValidationError

from ivos.errors import InputError
from ivos.pseudo_labels import Change, PseudoLabels, PseudoLabelSettings, accept
from ivos.volume.labels import IGNORE
from tests.propagation.scenes import volume_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from ivos.volume.volume import Volume

NAMES = {1: "liver", 2: "spleen", 9: "pancreas"}
SHAPES = array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=4)
LABELS = SHAPES.flatmap(lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 1, 2, 9])))
SEVERAL = SHAPES.flatmap(
    lambda shape: st.lists(
        arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 1, 2, 9])).map(volume_of), min_size=2, max_size=5
    )
)
RULES = st.sampled_from(
    [
        PseudoLabelSettings(consensus=consensus, rule=rule, accept=accept, threshold=threshold)
        for consensus in ("majority", "staple")
        for rule in ("worst-structure", "ivos")
        for accept in (None, "per-scan", "per-structure")
        for threshold in (None, 0.4)
    ]
)
quick = settings(max_examples=40, deadline=None)


def row(*labels: int) -> Volume:
    """A volume that says this along x, twice in y and z."""
    volume = volume_of(np.tile(np.array(labels, np.uint8), (2, 2, 1)))
    return volume.with_array(volume.array, {**NAMES, IGNORE: "ignore"} if IGNORE in labels else NAMES)


def said(judged: PseudoLabels) -> list[int] | None:
    if judged.labels is None:
        return None
    line: list[int] = judged.labels.array[0, 0].tolist()
    return line


def trusts(judged: PseudoLabels) -> dict[int, float | None]:
    return {structure.structure: structure.trust for structure in judged.structures}


def kept(judged: PseudoLabels) -> set[int]:
    return {structure.structure for structure in judged.structures if structure.trusted}


@quick
@given(LABELS.filter(np.any), st.integers(2, 4), RULES)
def test_identical_predictions_are_accepted_and_come_back_as_they_are(
    array: npt.NDArray[np.uint8], count: int, how: PseudoLabelSettings
) -> None:
    volume = volume_of(array)
    judged = accept([volume.with_array(array, NAMES)] * count, how)
    assert judged.labels is not None
    np.testing.assert_array_equal(judged.labels.array, array)
    assert judged.labels.names == NAMES
    assert set(trusts(judged).values()) == {1.0}


@quick
@given(SEVERAL, RULES, st.randoms(use_true_random=False))
def test_the_order_of_predictions_makes_no_difference(
    predictions: list[Volume], how: PseudoLabelSettings, random: Any
) -> None:
    first, second = accept(predictions, how), accept(random.sample(predictions, len(predictions)), how)
    assert (first.structures, first.accepted, first.reason) == (second.structures, second.accepted, second.reason)
    if first.labels is not None and second.labels is not None:
        np.testing.assert_array_equal(first.labels.array, second.labels.array)


@quick
@given(SEVERAL, RULES, st.floats(0, 1), st.floats(0, 1))
def test_a_lower_threshold_rejects_nothing_more(
    predictions: list[Volume], how: PseudoLabelSettings, one: float, other: float
) -> None:
    low, high = (accept(predictions, how.model_copy(update={"threshold": least})) for least in sorted((one, other)))
    assert low.accepted >= high.accepted
    assert kept(low) >= kept(high)
    if low.labels is not None and high.labels is not None:
        told = high.labels.array != IGNORE
        structure = told & (high.labels.array > 0)
        np.testing.assert_array_equal(low.labels.array[structure], high.labels.array[structure])
        assert np.isin(low.labels.array[told & ~structure], (0, IGNORE)).all()


@quick
@given(SEVERAL, RULES)
def test_labels_say_nothing_that_the_consensus_does_not(predictions: list[Volume], how: PseudoLabelSettings) -> None:
    judged = accept(predictions, how)
    if judged.labels is None:
        return
    array, own = judged.labels.array, judged.consensus.array
    told = array != IGNORE
    np.testing.assert_array_equal(array[told], own[told])
    assert set(np.unique(array[told])) - {0} <= kept(judged)
    for structure in set(trusts(judged)) - kept(judged):  # nowhere that an untrusted one may be is background
        for volume in predictions:
            assert not (array[volume.array == structure] == 0).any()


def test_an_organ_failed_in_one_prediction_is_caught_by_the_worst_and_hidden_by_the_mean() -> None:
    good, failed = row(1, 1, 1, 1, 2, 2, 9, 0), row(1, 1, 1, 1, 2, 2, 0, 0)
    predictions = [good, good, failed]
    worst = accept(predictions, PseudoLabelSettings(accept="per-scan"))
    assert trusts(worst) == {1: 1.0, 2: 1.0, 9: pytest.approx(2 / 3)}
    assert (worst.accepted, worst.labels, kept(worst)) == (False, None, set())
    assert worst.reason == "score 0.667, threshold 0.85; lowest: pancreas"
    mean = accept(predictions, PseudoLabelSettings(rule="ivos", threshold=0.85))
    assert mean.trust == pytest.approx((1 + 1 + 2 / 3) / 3)
    assert said(mean) == [1, 1, 1, 1, 2, 2, 9, 0]
    each = accept(predictions, PseudoLabelSettings())
    assert said(each) == [1, 1, 1, 1, 2, 2, IGNORE, 0]
    assert each.labels is not None
    assert each.labels.names == {**NAMES, IGNORE: "ignore"}
    assert each.reason == "1 of 3 structures excluded: pancreas"
    pancreas = each.structures[2]
    assert (pancreas.predictions, pancreas.trusted, pancreas.dsc) == (2, False, pancreas.trust)
    assert pancreas.reason == "mean DSC with the consensus 0.667, threshold 0.85; in 2 of 3 predictions"


def test_what_one_prediction_alone_has_counts_against_it_and_what_none_has_counts_as_nothing() -> None:
    judged = accept([row(1, 1, 0, 0), row(1, 1, 0, 0), row(1, 1, 0, 9)], PseudoLabelSettings())
    assert trusts(judged) == {1: 1.0, 9: 0.0}  # and no spleen
    assert judged.structures[1].volume_ml == 0
    assert said(judged) == [1, 1, 0, IGNORE]


def test_an_untrusted_structure_is_left_open_where_no_trusted_one_is() -> None:
    first, second, third = row(1, 1, 1, 9, 9, 9, 0, 0), row(1, 1, 1, 9, 0, 0, 0, 0), row(1, 1, 9, 9, 0, 0, 9, 0)
    judged = accept([first, second, third], PseudoLabelSettings(threshold=0.8))
    assert kept(judged) == {1}
    assert said(judged) == [1, 1, 1, IGNORE, IGNORE, IGNORE, IGNORE, 0]


def test_where_a_vote_has_no_majority_nothing_is_said() -> None:
    two = accept([row(1, 1, 1, 1, 1, 0), row(1, 1, 1, 1, 0, 0)], PseudoLabelSettings())
    assert said(two) == [1, 1, 1, 1, IGNORE, 0]
    assert trusts(two)[1] == pytest.approx((1 + 8 / 9) / 2)
    three = accept([row(1, 1, 1, 1, 1), row(1, 1, 1, 1, 0), row(1, 1, 1, 1, 0)], PseudoLabelSettings())
    assert said(three) == [1, 1, 1, 1, 0]  # single voxels that are disputed keep the majority's label
    probable = {1: [row(255, 255, 255, 255, 200, 0).array, row(255, 255, 255, 255, 100, 0).array]}
    how = PseudoLabelSettings(consensus="mean-probability")
    found = accept([row(1, 1, 1, 1, 1, 0), row(1, 1, 1, 1, 0, 0)], how, probabilities=probable)
    assert said(found) == [1, 1, 1, 1, 1, 0]


def test_change_between_rounds() -> None:
    new, old = row(1, 1, 1, 1, 1, 1, 2, 2, 9, 0), row(1, 1, 1, 1, 1, 1, 2, 0, 9, 0)
    how = PseudoLabelSettings(rule="change", threshold=0.8)
    judged = accept([new], how, old)
    assert judged.trust == pytest.approx(1 - 1 / 9)  # voxels that changed, to those that are labelled now
    assert trusts(judged) == {1: 1.0, 2: pytest.approx(2 / 3), 9: 1.0}
    assert said(judged) == [1, 1, 1, 1, 1, 1, 2, 2, 9, 0]
    assert not accept([new], PseudoLabelSettings(rule="change"), old).accepted
    each = accept([new], how.model_copy(update={"accept": "per-structure"}), old)
    assert said(each) == [1, 1, 1, 1, 1, 1, IGNORE, IGNORE, 9, 0]
    gone = accept([old], how.model_copy(update={"accept": "per-structure"}), new)
    assert said(gone) == [1, 1, 1, 1, 1, 1, IGNORE, IGNORE, 9, 0]  # the previous round had it here
    assert not accept([new], how).accepted


def test_what_is_lost_is_said_though_the_scan_as_a_whole_has_hardly_changed() -> None:
    old, new = row(*[1] * 16, 2, 2, 9, 0), row(*[1] * 16, 2, 0, 0, 0)
    judged = accept([new], PseudoLabelSettings(rule="change", threshold=0.85), old)
    assert judged.accepted  # as the published rule has it
    assert judged.change == Change("pancreas", 0.0, {9: "pancreas"})
    assert judged.reason == (
        "score 0.882, threshold 0.85; changed most: pancreas, DSC 0.000; gone since the previous round: pancreas"
    )
    same = accept([old], PseudoLabelSettings(rule="change"), old)
    assert (same.change, same.reason) == (Change(None, 1.0, {}), "score 1.000, threshold 0.9")
    less = accept([old], PseudoLabelSettings(rule="change"), row(*[1] * 16, 2, 0, 9, 0)).change
    assert less is not None
    assert less.dsc == pytest.approx(2 / 3)
    assert (less.most, less.vanished) == ("spleen", {})
    other = accept([new] * 3, PseudoLabelSettings(), old)  # the rule does not go by it, and yet it is said
    assert other.reason == "all accepted; gone since the previous round: pancreas"
    assert trusts(other) == {1: 1.0, 2: 1.0}


def test_what_is_silent_is_not_gone() -> None:
    old, new = row(1, 1, 9, IGNORE), row(1, 1, 0, 9)
    assert accept([new], PseudoLabelSettings(rule="change"), old).change == Change("pancreas", 0.0, {})
    tied = accept([row(1, 1, 9), row(1, 1, 2)], PseudoLabelSettings(rule="change"), row(1, 1, 9))
    assert tied.change == Change(None, 1.0, {})


def test_what_the_previous_round_left_open_is_not_compared() -> None:
    new, old = row(1, 1, 2, 2, 9), row(1, 1, IGNORE, IGNORE, 9)
    judged = accept([new, new], PseudoLabelSettings(rule="change"), old)
    assert judged.trust == 1
    assert trusts(judged) == {1: 1.0, 2: None, 9: 1.0}
    each = accept([new, new], PseudoLabelSettings(rule="change", accept="per-structure"), old)
    assert said(each) == [1, 1, IGNORE, IGNORE, 9]
    assert not accept([new], PseudoLabelSettings(rule="change"), row(*[IGNORE] * 5)).accepted


def test_where_255_is_a_structure_another_label_is_ignore() -> None:
    names = {1: "liver", 255: "rostrum"}
    one, other = (v.with_array(v.array, names) for v in (row(1, 1, 1, 1, 255, 255, 0), row(1, 1, 1, 1, 255, 0, 0)))
    each = accept([one, other, other], PseudoLabelSettings(accept="per-structure", threshold=0.95))
    assert said(each) == [1, 1, 1, 1, 256, 256, 0]
    assert each.labels is not None
    assert each.labels.names == {**names, 256: "ignore"}
    whole = accept([one, one], PseudoLabelSettings(rule="change", accept="per-scan"), each.labels)
    assert whole.trust == 1


def test_all_takes_everything_but_nothing() -> None:
    alone = accept([row(1, 2, 9)], PseudoLabelSettings(rule="all"))
    assert said(alone) == [1, 2, 9]
    assert trusts(alone) == dict.fromkeys((1, 2, 9))  # one prediction agrees with itself
    assert said(accept([row(1, 2, 9), row(1, 2, 0), row(1, 1, 0)], PseudoLabelSettings(rule="all"))) == [1, 2, 0]
    empty = accept([row(0, 0)] * 3, PseudoLabelSettings(rule="all"))
    assert (empty.accepted, empty.reason) == (False, "no structure in the consensus")


def test_what_cannot_be_judged_is_refused() -> None:
    with pytest.raises(InputError, match="give two or more"):
        accept([row(1)], PseudoLabelSettings())
    with pytest.raises(InputError, match="prediction 2 has label 255"):
        accept([row(1, 0), row(1, 255)], PseudoLabelSettings())
    other = row(1, 2).with_array(row(1, 2).array, {2: "stomach"})
    with pytest.raises(InputError, match="label 2 is 'spleen' in one prediction and 'stomach' in another"):
        accept([row(1, 2)], PseudoLabelSettings(rule="change"), other)
    with pytest.raises(ValidationError, match="accepts everything"):
        PseudoLabelSettings(rule="all", threshold=0.5)
