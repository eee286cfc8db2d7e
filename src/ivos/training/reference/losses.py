"""Losses of class logits (B, K, H, W) against class numbers (B, H, W); pixels of :data:`IGNORED` do not count.

Each slice has its own mean, and a batch the mean of those: a batch on one device or spread over several is the same.
A slice of which every pixel is ignored has the loss 0.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator

from ivos.config import Settings
from ivos.training.reference.boundary import active_boundary
from ivos.training.reference.slices import IGNORED

if TYPE_CHECKING:
    from torch import Tensor

_HARD_BELOW = 0.7  # probability of the true class
_HARD_SHARE = 1 / 16  # of a slice's pixels count as hard at least
_FOCUS = 2  # gamma of the focal loss


def cross_entropy(logits: Tensor, labels: Tensor, class_weights: Tensor | None = None) -> Tensor:
    """Mean cross entropy; of pixels that weigh what their true class weighs, where weights (K,) are given."""
    known = labels != IGNORED
    share = known if class_weights is None else class_weights.to(logits)[labels.clamp(min=0)] * known
    return _mean(_each(logits, labels), share)


def balanced_weights(pixels: Tensor) -> Tensor:
    """Weights of classes, the rarer the larger: the inverse of the effective number (1 - b^n) / (1 - b) of n pixels.

    Pixels beside each other say nearly the same; how many of a class say anything new is N = 1 / (1 - b). Here N is
    the median over the classes: those that are more common weigh almost alike, the rarer ones nearly in inverse
    proportion to their pixels.

    Args:
        pixels: (K,) how many each class has in all, 0 for a class that is not there; or volumes, as only ratios count.

    Returns:
        (K,) float32 with mean 1 over the classes that are there, and 0 for the others.

    Raises:
        ValueError: no class is there, or a number is negative.

    References:
        Cui, Jia, Lin, Song, Belongie: Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019.
    """
    there = pixels > 0
    if (pixels < 0).any() or not there.any():
        raise ValueError(f"pixels of classes: {pixels.tolist()}; none may be negative, and not all 0")
    relative = pixels.double() / pixels[there].double().median()
    weights = torch.where(there, -1 / torch.expm1(-relative), 0)  # b^n is exp(-n / N), N being large
    return (weights / weights[there].mean()).float()


def ohem(logits: Tensor, labels: Tensor) -> Tensor:
    """Online hard example mining: mean cross entropy of a slice's hard pixels.

    Hard are those whose true class has a probability below 0.7, and at least the worst sixteenth of the slice.

    References:
        Shrivastava, Gupta, Girshick: Training Region-based Object Detectors with Online Hard Example Mining, CVPR 2016.
    """
    known = labels != IGNORED
    worst_first = torch.where(known, _each(logits, labels), -1).flatten(1).sort(1, descending=True).values
    at_least = (known.sum((1, 2)) * _HARD_SHARE).ceil()[:, None]
    rank = torch.arange(worst_first.shape[1], device=logits.device)
    return _mean(worst_first, (rank < at_least) | (worst_first > -math.log(_HARD_BELOW)))


def focal(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross entropy of pixels that weigh (1 - p)^2, p being the probability of their true class.

    References:
        Lin, Goyal, Girshick, He, Dollár: Focal Loss for Dense Object Detection, ICCV 2017.
    """
    each = _each(logits, labels)
    return _mean(each * (-torch.expm1(-each)) ** _FOCUS, labels != IGNORED)


def dice(logits: Tensor, labels: Tensor) -> Tensor:
    """1 - soft Dice, mean over the classes that are on a slice, background left out; 0 for a slice without any."""
    known = (labels != IGNORED)[:, None]
    true = F.one_hot(labels.clamp(min=0), logits.shape[1]).movedim(-1, 1) * known
    found = logits.softmax(1) * known
    shared, total, there = (part.sum((2, 3))[:, 1:] for part in (found * true, found + true, true))
    lost = (1 - (2 * shared + 1) / (total + 1)) * (there > 0)
    return (lost.sum(1) / (there > 0).sum(1).clamp(min=1)).mean()


def lovasz(logits: Tensor, labels: Tensor) -> Tensor:
    """Lovász-softmax: 1 - IoU made continuous, mean over the classes that are on a slice, background among them.

    References:
        Berman, Rannen Triki, Blaschko: The Lovász-Softmax Loss, CVPR 2018.
    """
    from segmentation_models_pytorch.losses import LovaszLoss  # seconds to import, and most trainings do without

    loss = LovaszLoss("multiclass", ignore_index=IGNORED)
    total = logits.sum() * 0
    for one, true in zip(logits[:, None], labels[:, None], strict=True):
        if (true != IGNORED).any():  # of an empty slice the library makes a tensor without elements
            total = total + loss(one, true)
    return total / len(logits)


def _each(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy of each pixel (B, H, W); 0 where it is ignored."""
    return F.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="none")


def _mean(values: Tensor, share: Tensor) -> Tensor:
    """Mean over slices of values (B, ...) in shares of the same shape; a slice without any has 0."""
    total = share.flatten(1).sum(1)
    means = (values * share).flatten(1).sum(1) / torch.where(total > 0, total, 1)
    return means.mean()


class LossSettings(Settings):
    """How much each loss counts; one of weight 0 is not computed.

    Attributes:
        cross_entropy: mean cross entropy.
        dice: 1 - soft Dice.
        ohem: cross entropy of the hard pixels alone.
        lovasz: Lovász-softmax, a continuous 1 - IoU.
        focal: cross entropy in which sure pixels fade.
        active_boundary: moves predicted boundaries towards the true ones; for use beside others.
        class_balanced: whether pixels of rare classes weigh more in ``cross_entropy``.
    """

    cross_entropy: float = Field(default=1.0, ge=0)
    dice: float = Field(default=1.0, ge=0)
    ohem: float = Field(default=0.0, ge=0)
    lovasz: float = Field(default=0.0, ge=0)
    focal: float = Field(default=0.0, ge=0)
    active_boundary: float = Field(default=0.0, ge=0)
    class_balanced: bool = False

    @model_validator(mode="after")
    def _something_teaches(self) -> LossSettings:
        if not any((self.cross_entropy, self.dice, self.ohem, self.lovasz, self.focal, self.active_boundary)):
            raise ValueError("all losses have weight 0; give at least one a positive weight")
        if self.class_balanced and not self.cross_entropy:
            raise ValueError("class_balanced applies to cross_entropy, whose weight is 0")
        return self


class SupervisedLoss:
    """The weighted sum of losses.

    Args:
        settings: the weights.
        class_weights: (K,) for the cross entropy, as of :func:`~ivos.training.reference.losses.balanced_weights`; None
            for classes that weigh alike.
    """

    def __init__(self, settings: LossSettings, class_weights: Tensor | None = None) -> None:
        terms = (
            (settings.cross_entropy, partial(cross_entropy, class_weights=class_weights)),
            (settings.dice, dice),
            (settings.ohem, ohem),
            (settings.lovasz, lovasz),
            (settings.focal, focal),
            (settings.active_boundary, active_boundary),
        )
        self._terms = [(weight, loss) for weight, loss in terms if weight > 0]

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of logits (B, K, H, W) against class numbers (B, H, W)."""
        logits = logits.float()  # half precision cannot count the pixels of a slice
        return torch.stack([weight * loss(logits, labels) for weight, loss in self._terms]).sum()
