"""Losses: what they are worth on predictions that are right, wrong and ignored, and where they lead."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ivos.training.reference.boundary import active_boundary
from ivos.training.reference.losses import (
    LossSettings,
    SupervisedLoss,
    balanced_weights,
    cross_entropy,
    dice,
    focal,
    lovasz,
    ohem,
)
from ivos.training.reference.slices import IGNORED

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

LOSSES = (cross_entropy, dice, ohem, lovasz, focal, active_boundary)
WEIGHTED = SupervisedLoss(LossSettings(class_balanced=True), torch.tensor([0.5, 1.0, 1.5]))
CLASSES = 3

every_loss = pytest.mark.parametrize(
    "loss", [*LOSSES, WEIGHTED], ids=lambda loss: getattr(loss, "__name__", "class_weights")
)
seeds = st.integers(0, 2**31)
few = settings(max_examples=20)


def _random(seed: int, count: int = 2, ignored: float = 0.02) -> tuple[Tensor, Tensor]:
    """Logits and blocks of classes, some pixels ignored."""
    draw = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn((count, CLASSES, 24, 32), generator=draw)
    labels = torch.randint(CLASSES, (count, 3, 4), generator=draw).repeat_interleave(8, 1).repeat_interleave(8, 2)
    labels[torch.rand(labels.shape, generator=draw) < ignored] = IGNORED
    return logits, labels


def _certain(labels: Tensor, classes: int = CLASSES, height: float = 60.0) -> Tensor:
    """Logits (B, K, H, W) that are sure of labels (B, H, W)."""
    return height * F.one_hot(labels.clamp(min=0), classes).movedim(-1, 1).float()


def _gradient(loss: Callable[[Tensor, Tensor], Tensor], logits: Tensor, labels: Tensor) -> Tensor:
    logits = logits.clone().requires_grad_()
    return torch.autograd.grad(loss(logits, labels), logits)[0]


def _square(top: int, left: int) -> Tensor:
    labels = torch.zeros((1, 96, 96), dtype=torch.long)
    labels[:, top : top + 20, left : left + 20] = 1
    return labels


@every_loss
@few
@given(seed=seeds)
def test_a_perfect_prediction_costs_nothing(loss: Callable[[Tensor, Tensor], Tensor], seed: int) -> None:
    logits, labels = _random(seed)
    assert loss(_certain(labels), labels).item() == pytest.approx(0, abs=1e-5)
    assert loss(_certain((labels + 1) % CLASSES), labels) > 0.1 or loss is active_boundary  # which knows no classes
    assert _gradient(loss, logits, labels).abs().max() > 0


@every_loss
@few
@given(seed=seeds)
def test_ignored_pixels_change_nothing(loss: Callable[[Tensor, Tensor], Tensor], seed: int) -> None:
    logits, labels = _random(seed)
    ignored = (labels == IGNORED)[:, None].expand_as(logits)
    others = torch.where(ignored, _random(seed + 1)[0], logits)
    assert loss(others, labels).item() == pytest.approx(loss(logits, labels).item(), rel=1e-5)
    assert not _gradient(loss, logits, labels)[ignored].any()


@every_loss
@few
@given(seed=seeds)
def test_a_slice_with_ignored_pixels_around_it_is_the_same(loss: Callable[[Tensor, Tensor], Tensor], seed: int) -> None:
    logits, labels = _random(seed, ignored=0)
    wider, around = F.pad(logits, (3, 2, 1, 5), value=7.0), F.pad(labels, (3, 2, 1, 5), value=IGNORED)
    assert loss(wider, around).item() == pytest.approx(loss(logits, labels).item(), rel=1e-5)


@every_loss
def test_ignored_slices_cost_nothing_and_teach_nothing(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    logits, labels = _random(0)
    nothing = torch.full_like(labels, IGNORED)
    assert loss(logits, nothing) == 0
    assert not _gradient(loss, logits, nothing).any()


@every_loss
@pytest.mark.parametrize("empty", [(), (0,), (1,)], ids=["none", "first", "last"])
def test_a_batch_is_the_mean_of_its_slices(loss: Callable[[Tensor, Tensor], Tensor], empty: tuple[int, ...]) -> None:
    logits, labels = _random(0)
    labels[0, :, :9] = IGNORED  # slices with unlike numbers of pixels
    for number in empty:
        labels[number] = IGNORED
    singles = [loss(logits[i : i + 1], labels[i : i + 1]).item() for i in range(2)]
    assert loss(logits, labels).item() == pytest.approx(sum(singles) / 2, rel=1e-5)


@every_loss
def test_extreme_logits_have_finite_gradients(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    logits, labels = _random(0)
    assert _gradient(loss, 1e4 * logits, labels).isfinite().all()


def test_class_weights_make_a_rare_class_count() -> None:
    labels = torch.tensor([[[0, 0, 0, 1]]])
    half = torch.zeros((1, 2, 1, 4))
    common_wrong, rare_wrong = _certain(labels, 2), _certain(labels, 2)
    common_wrong[..., 0], rare_wrong[..., 3] = half[..., 0], half[..., 3]
    weights = torch.tensor([0.5, 1.5])
    assert cross_entropy(common_wrong, labels).item() == pytest.approx(math.log(2) / 4)
    assert cross_entropy(common_wrong, labels, weights).item() == pytest.approx(math.log(2) * 0.5 / 3)
    assert cross_entropy(rare_wrong, labels, weights).item() == pytest.approx(math.log(2) * 1.5 / 3)


@given(pixels=st.lists(st.integers(0, 10**9), min_size=1, max_size=30).filter(any))
def test_balanced_weights_are_larger_for_rarer_classes(pixels: list[int]) -> None:
    weights = balanced_weights(torch.tensor(pixels))
    there = torch.tensor(pixels) > 0
    assert weights[there].mean().item() == pytest.approx(1, rel=1e-5)
    assert not weights[~there].any()
    by_count = weights[there][torch.tensor(pixels)[there].argsort()]
    assert (by_count[1:] <= by_count[:-1]).all()


def test_balanced_weights_are_those_of_effective_numbers() -> None:
    pixels = [10_000_000, 40_000, 20_000, 500, 100]
    beta = 1 - 1 / 20_000
    effective = [(1 - beta**n) / (1 - beta) for n in pixels]
    mean = sum(1 / number for number in effective) / 5
    expected = [1 / number / mean for number in effective]
    assert balanced_weights(torch.tensor(pixels)).tolist() == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("pixels", [[0, 0], [5, -1]])
def test_balanced_weights_of_impossible_numbers(pixels: list[int]) -> None:
    with pytest.raises(ValueError, match="none may be negative"):
        balanced_weights(torch.tensor(pixels))


@pytest.mark.parametrize(
    ("chances", "hard"),
    [([0.1, 0.5, 0.69] + [0.71] * 29, 3), ([0.8, 0.9, 0.95] + [0.99] * 29, 2), ([0.9] + [0.99] * 16, 2)],
    ids=["below the threshold", "a sixteenth at least", "rounded up"],
)
def test_ohem_is_the_cross_entropy_of_the_hard_pixels(chances: list[float], hard: int) -> None:
    true = torch.tensor([*reversed(chances), 0.01]).reshape(1, 1, -1)
    labels = torch.where(true == 0.01, IGNORED, 1)  # a worse one is ignored
    logits = torch.stack([1 - true, true], 1).log()
    expected = sum(-math.log(chance) for chance in chances[:hard]) / hard
    assert ohem(logits, labels).item() == pytest.approx(expected, rel=1e-4)


@few
@given(seed=seeds)
def test_lovasz_of_a_hard_prediction_is_one_minus_iou(seed: int) -> None:
    found = _random(seed, 1, 0)[0].argmax(1)
    labels = _random(seed, 1)[1]
    known, ious = labels != IGNORED, []
    for k in set(labels[known].tolist()):
        ours, true = (found == k) & known, labels == k
        ious.append(((ours & true).sum() / (ours | true).sum()).item())
    assert lovasz(_certain(found), labels).item() == pytest.approx(1 - sum(ious) / len(ious), abs=1e-5)


def test_focal_fades_with_certainty() -> None:
    labels = torch.ones((1, 1, 1), dtype=torch.long)
    for chance in (0.5, 0.9, 0.99):
        logits = torch.tensor([1 - chance, chance]).log().reshape(1, 2, 1, 1)
        assert focal(logits, labels).item() == pytest.approx(-((1 - chance) ** 2) * math.log(chance), rel=1e-3)


@pytest.mark.parametrize("true", [9, 15, 40])
def test_active_boundary_worked_by_hand(true: int) -> None:
    """Boundaries are straight lines behind columns 5 and ``true``."""
    columns = torch.arange(48).expand(1, 16, 48)
    logits, labels = _certain((columns > 5).long(), 2, height=2.0), (columns > true).long()
    apart = 2 * (2 / (1 + math.exp(-2)) - 1)  # KL of (p, 1 - p) from (1 - p, p), the logits being 2 apart
    total = math.log(3 * math.exp(apart) + 5)  # three neighbours are across the predicted boundary
    other = 0.2 / 7
    before = total - apart * (0.8 + 2 * other)  # column 5: the true direction is among the three
    behind = total - apart * 3 * other
    weights = [min(true - column, 20) / 20 for column in (5, 6)]
    expected = (weights[0] * before + weights[1] * behind) / 2
    assert active_boundary(logits, labels).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shift", [(6, 6), (-6, -6), (6, 0), (-6, 0), (0, 6), (0, -6)])
def test_active_boundary_moves_a_square_to_its_place(shift: tuple[int, int]) -> None:
    labels = _square(38, 38)
    logits = _certain(_square(38 + shift[0], 38 + shift[1]), 2, height=4.0).requires_grad_()
    optimiser = torch.optim.Adam([logits], lr=0.3)
    reached = [_dsc(logits, labels)]
    for _ in range(2):
        for _ in range(15):
            optimiser.zero_grad()
            active_boundary(logits, labels).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        reached.append(_dsc(logits, labels))
    assert reached[0] + 0.1 < reached[2]
    assert reached[0] < reached[1] < reached[2]


def _dsc(logits: Tensor, labels: Tensor) -> float:
    found, true = logits.argmax(1) == 1, labels == 1
    return (2 * (found & true).sum() / (found.sum() + true.sum())).item()


def test_active_boundary_teaches_pixels_on_the_predicted_boundary_alone() -> None:
    shifted = _square(44, 38)
    taught = _gradient(active_boundary, _certain(shifted, 2, height=4.0), _square(38, 38))[0].abs().sum(0) > 0
    square = shifted[0].bool()
    on_it = torch.zeros_like(square)
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        on_it |= square != square.roll(step, axis)
    assert taught.any()
    assert not taught[~on_it].any()


def test_without_a_boundary_active_boundary_costs_nothing() -> None:
    square = _square(38, 38)
    for prediction, labels in ((square, torch.zeros_like(square)), (torch.zeros_like(square), square)):
        logits = _certain(prediction, 2)
        assert active_boundary(logits, labels) == 0
        assert not _gradient(active_boundary, logits, labels).any()


def test_supervised_loss_is_the_weighted_sum() -> None:
    logits, labels = _random(0)
    names = [loss.__name__ for loss in LOSSES]
    for name, loss in zip(names, LOSSES, strict=True):
        alone = LossSettings.model_validate(dict.fromkeys(names, 0) | {name: 2})
        assert SupervisedLoss(alone)(logits, labels).item() == pytest.approx(2 * loss(logits, labels).item())
    together = SupervisedLoss(LossSettings(cross_entropy=0.5, dice=2, focal=3))
    expected = 0.5 * cross_entropy(logits, labels) + 2 * dice(logits, labels) + 3 * focal(logits, labels)
    assert together(logits, labels).item() == pytest.approx(expected.item())


def test_supervised_loss_of_half_precision_is_computed_in_full() -> None:
    logits, labels = _random(0)
    loss = SupervisedLoss(LossSettings(ohem=1, lovasz=1, focal=1, active_boundary=1))
    half = logits.bfloat16()
    assert torch.equal(loss(half, labels), loss(half.float(), labels))


@pytest.mark.parametrize(
    ("weights", "complaint"),
    [
        ({"cross_entropy": 0, "dice": 0}, "all losses have weight 0"),
        ({"cross_entropy": 0, "class_balanced": True}, "class_balanced applies to cross_entropy"),
        ({"dice": -1}, "greater than or equal to 0"),
    ],
)
def test_weights_that_make_no_sense_are_refused(weights: dict[str, float], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        LossSettings.model_validate(weights)
