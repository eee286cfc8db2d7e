"""Training step and validation of the fusion network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from ivos.propagation.corrections.difference_aware import to_fuse
from ivos.training.callbacks import SCORE
from ivos.training.module import Training

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ivos.nets.fusion import FusionNet
    from ivos.training.fusion.data import FusionSample

_AGREED = 0.05  # weight of a pixel on which old and new mask agree, and the network has no say


class FusionTraining(Training):
    """Learns which of two masks is right where.

    Args:
        network: initial network.
        settings: of the run.
        rate: peak learning rate.
    """

    network: FusionNet

    def cases_of(self, batch: tuple[Tensor, Tensor, Sequence[str]]) -> Sequence[str]:
        """Those of the samples."""
        return batch[2]

    def training_step(self, batch: tuple[Tensor, Tensor, Sequence[str]], number: int) -> Tensor:  # noqa: ARG002
        """Cross-entropy where old and new mask differ, and Dice of what is made of the two."""
        planes, shares, _ = batch
        old, new, true = planes[:, 3:4], planes[:, 4:5], planes[:, 7:]
        logits = self.network(to_fuse(planes[:, :7], shares)).float()
        weight = (old - new).abs() + _AGREED
        each = F.binary_cross_entropy_with_logits(logits, true, reduction="none")
        decided = (weight * each).sum((1, 2, 3)) / weight.sum((1, 2, 3))
        fused = torch.lerp(torch.minimum(old, new), torch.maximum(old, new), logits.sigmoid())
        loss = (decided + 1 - _dsc(fused, true)).mean()
        self.log("loss", loss, prog_bar=True, batch_size=len(planes))
        return loss

    def validation_step(self, batch: FusionSample, number: int) -> None:  # noqa: ARG002
        """DSC of what the averaged network makes of old and new masks, and of those two."""
        planes, shares = batch
        old, new, true = planes[:, 3:4], planes[:, 4:5], (planes[:, 7:] > 0.5).float()
        fused = self.averaged_network(to_fuse(planes[:, :7], shares)).float().sigmoid()
        fused = fused.clamp(torch.minimum(old, new), torch.maximum(old, new))
        for name, masks in ((SCORE, fused), ("val_dsc_old", old), ("val_dsc_new", new)):
            score = _dsc((masks > 0.5).float(), true).mean()
            self.log(name, score, prog_bar=name == SCORE, batch_size=len(planes), sync_dist=True)


def _dsc(masks: Tensor, true: Tensor) -> Tensor:
    """(B,) soft DSC; near 1 where both are empty."""
    shared, both = (masks * true).sum((1, 2, 3)), (masks + true).sum((1, 2, 3))
    return (2 * shared + 1) / (both + 1)
