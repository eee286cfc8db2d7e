from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ivos.propagation.fusion import Fusion, PackedMasks, decide, fuse, fuse_by_sum, fuse_smallest_first
from ivos.propagation.masks import Masks

INFINITE = float("inf")


def one(value: float) -> Masks:
    return Masks.of(np.full((1, 1, 1), value, np.float32))


def fused(forward: Masks, backward: Masks, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return fuse(forward, backward, before, after).dense()


def at(distance: float) -> np.ndarray:
    return np.array([distance], np.float32)


def test_the_nearer_of_two_equally_decided_passes_wins() -> None:
    assert fused(one(1), one(0), at(3), at(7))[0, 0, 0] == pytest.approx(0.7)
    assert fused(one(1), one(0), at(7), at(3))[0, 0, 0] == pytest.approx(0.3)


def test_an_undecided_pass_hardly_counts_even_when_it_is_nearer() -> None:
    # weights 1/2 x (0.0 + 0.05) and 1/6 x (1.0 + 0.05): 0.025 and 0.175
    assert fused(one(0.5), one(1), at(2), at(6))[0, 0, 0] == pytest.approx((0.025 * 0.5 + 0.175) / 0.2)


def test_only_the_pass_that_comes_from_an_annotation_counts() -> None:
    assert fused(one(0.8), one(0.1), at(5), at(INFINITE))[0, 0, 0] == pytest.approx(0.8)
    assert fused(one(0.8), one(0.1), at(INFINITE), at(5))[0, 0, 0] == pytest.approx(0.1)
    assert fused(one(0.8), one(0.1), at(INFINITE), at(INFINITE))[0, 0, 0] == 0


def test_the_sum_of_both_passes_weighs_them_alike_whatever_the_distance() -> None:
    assert fuse_by_sum(one(1), one(0.2), at(1), at(9)).dense()[0, 0, 0] == pytest.approx(0.6)
    assert fuse_by_sum(one(0.8), one(0.1), at(5), at(INFINITE)).dense()[0, 0, 0] == pytest.approx(0.8)


def test_of_structures_that_the_passes_claim_the_smallest_has_the_pixel() -> None:
    large, small = np.zeros((2, 1, 6), np.float32), np.zeros((2, 1, 6), np.float32)
    large[0, 0, :5], small[1, 0, 4] = 1, 0.6
    near = np.ones(2, np.float32)
    classes, _ = decide(fuse_smallest_first(Masks.of(large), Masks.of(small), near, near))
    assert classes.tolist() == [[1, 1, 1, 1, 2, 0]]
    classes, _ = decide(fuse_by_sum(Masks.of(large), Masks.of(small), near, near))
    assert classes[0, 4] != 2


@pytest.mark.parametrize("fusion", [fuse, fuse_by_sum, fuse_smallest_first])
@given(arrays(np.float32, (2, 3, 4, 5), elements=st.floats(0, 0.3125, width=32)))
def test_every_fusion_gives_probabilities(fusion: Fusion, passes: np.ndarray) -> None:
    near = np.array([1, 2, 3], np.float32)
    masks = fusion(Masks.of(passes[0]), Masks.of(passes[1]), near, near[::-1].copy())
    assert masks.dense().min() >= 0
    assert masks.total().max() <= 1 + 1e-5


def test_structures_never_sum_to_more_than_one() -> None:
    forward, backward = (Masks.of(np.array([[[a]], [[b]]], np.float32)) for a, b in ((1, 0), (0, 1)))
    distances = np.array([1, np.inf], np.float32), np.array([np.inf, 1], np.float32)
    np.testing.assert_allclose(fused(forward, backward, *distances)[:, 0, 0], [0.5, 0.5])


def test_the_likeliest_class_and_its_probability() -> None:
    masks = Masks.of(np.array([[[0.2, 0.5, 0.1]], [[0.7, 0.1, 0.1]]], np.float32))
    classes, confidence = decide(masks)
    assert classes.tolist() == [[2, 1, 0]]
    assert confidence.tolist() == [[round(0.7 * 255), round(0.5 * 255), round(0.8 * 255)]]
    classes, confidence = decide(masks, temperature=2)  # logits ln(7 / 3) and ln 4 halved
    assert classes.tolist() == [[2, 1, 0]]
    np.testing.assert_allclose(confidence / 255, [[0.604, 0.5, 2 / 3]], atol=0.004)


@given(arrays(np.float32, (2, 9, 7), elements=st.floats(0, 1, width=32)), st.booleans())
def test_packing_keeps_probabilities_to_half_a_level(masks: np.ndarray, empty: bool) -> None:
    masks = masks * 0 if empty else masks
    np.testing.assert_allclose(PackedMasks.pack(Masks.of(masks)).unpack().dense(), masks, atol=0.5 / 255 + 1e-6)
