"""What labelled slices teach: several losses, weighed and added up."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from pydantic import Field, model_validator

from ivos.config import Settings
from ivos.training.reference.boundary import active_boundary
from ivos.training.reference.losses import cross_entropy, dice, focal, lovasz, ohem

if TYPE_CHECKING:
    from torch import Tensor


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
            raise ValueError("every loss has the weight 0; give one of them more")
        if self.class_balanced and not self.cross_entropy:
            raise ValueError("class_balanced is for cross_entropy, whose weight is 0")
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
