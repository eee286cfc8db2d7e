"""Losses of class logits (B, K, H, W) against class numbers (B, H, W); pixels of :data:`IGNORED` do not count.

Each slice has its own mean, and a batch the mean of those: a batch on one device or spread over several is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F

from ivos.training.slices import IGNORED

if TYPE_CHECKING:
    from torch import Tensor


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross entropy."""
    each, known = F.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="none"), labels != IGNORED
    return (each.sum((1, 2)) / known.sum((1, 2)).clamp(min=1)).mean()


def dice(logits: Tensor, labels: Tensor) -> Tensor:
    """1 - soft Dice, mean over the classes that are on a slice, background left out; 0 for a slice without any."""
    known = (labels != IGNORED)[:, None]
    true = F.one_hot(labels.clamp(min=0), logits.shape[1]).movedim(-1, 1) * known
    found = logits.softmax(1) * known
    shared, total, there = (part.sum((2, 3))[:, 1:] for part in (found * true, found + true, true))
    lost = (1 - (2 * shared + 1) / (total + 1)) * (there > 0)
    return (lost.sum(1) / (there > 0).sum(1).clamp(min=1)).mean()
