"""Losses of class logits (B, K, H, W) against class numbers (B, H, W); pixels of :data:`IGNORED` do not count.

Each slice has its own mean, and a batch the mean of those: a batch on one device or spread over several is the same.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from ivos.training.slices import IGNORED

if TYPE_CHECKING:
    from torch import Tensor


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross entropy."""
    return _mean(_each(logits, labels), labels != IGNORED)


def hard_cross_entropy(logits: Tensor, labels: Tensor, *, least_share: float = 0.2, sure: float = 0.7) -> Tensor:
    """Cross entropy of each slice's hard pixels alone.

    Args:
        logits: (B, K, H, W).
        labels: (B, H, W).
        least_share: at least about this share of the pixels counts.
        sure: pixels whose true class is less likely than this count.

    References:
        Shrivastava, Gupta, Girshick: Training Region-based Object Detectors with Online Hard Example Mining, CVPR 2016.
    """
    each, known = _each(logits, labels), labels != IGNORED
    hardest = torch.quantile(each.detach().flatten(1).float(), 1 - least_share, dim=1)
    threshold = hardest.clamp(max=-math.log(sure))[:, None, None]
    return _mean(each, known & (each.detach() >= threshold))


def dice(logits: Tensor, labels: Tensor) -> Tensor:
    """1 - soft Dice, mean over the classes that are on a slice, background left out; 0 for a slice without any."""
    known = (labels != IGNORED)[:, None]
    true = F.one_hot(labels.clamp(min=0), logits.shape[1]).movedim(-1, 1) * known
    found = logits.softmax(1) * known
    shared, total, there = (part.sum((2, 3))[:, 1:] for part in (found * true, found + true, true))
    lost = (1 - (2 * shared + 1) / (total + 1)) * (there > 0)
    return (lost.sum(1) / (there > 0).sum(1).clamp(min=1)).mean()


def _each(logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="none")


def _mean(each: Tensor, counted: Tensor) -> Tensor:
    return ((each * counted).sum((1, 2)) / counted.sum((1, 2)).clamp(min=1)).mean()
