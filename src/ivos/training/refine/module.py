"""Training step and validation of the refinement network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from ivos.nets.refine import PLANES, RefineNet, refined_logits
from ivos.training.module import Training

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ivos.training.refine.samples import Batch

_SMOOTH = 20.0  # cells
_PROPAGATED = PLANES.index("propagated")


class RefinementTraining(Training):
    """Learns to correct what the passes found."""

    network: RefineNet

    def cases_of(self, batch: Batch) -> Sequence[str]:
        """Those of the crops."""
        return batch.cases

    def training_step(self, batch: Batch, number: int) -> Tensor:  # noqa: ARG002
        """Loss of a batch."""
        logits, presence = self._logits(self.network, batch)
        loss = _loss(logits, presence, batch)
        self.log("loss", loss, prog_bar=True, batch_size=len(batch.planes))
        return loss

    def validation_step(self, batch: Batch, number: int) -> None:  # noqa: ARG002
        """DSC of the averaged network before and after, over the slices that are asked for."""
        logits, _ = self._logits(self.averaged_network, batch)
        counted, truth = batch.counted > 0, (batch.truth > 0.5) & (batch.counted > 0)
        before = _dsc((batch.planes[:, :, _PROPAGATED] > 0.5) & counted, truth)
        after = _dsc((logits > 0) & counted, truth)
        good = before >= 0.8
        size = len(batch.planes)
        self.log_dict({"val_before": before.mean(), "val_dsc": after.mean()}, prog_bar=True, batch_size=size)
        if good.any():
            self.log("val_good_change", (after - before)[good].mean(), prog_bar=True, batch_size=int(good.sum()))

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, number: int) -> Any:  # noqa: ARG002
        """All parts of it."""
        return batch.to(device)

    def _logits(self, network: RefineNet, batch: Batch) -> tuple[Tensor, Tensor]:
        added, presence = network(batch.planes, batch.numbers, batch.scalars)
        added, presence = added.float(), presence.float()
        return refined_logits(batch.planes, added, presence), presence


def _loss(logits: Tensor, presence: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy and Dice over the slices that are asked for, cross-entropy of presence."""
    counted, truth = batch.counted, batch.truth * batch.counted
    each = F.binary_cross_entropy_with_logits(logits, batch.truth, reduction="none") * counted
    entropy = (each.sum((1, 2, 3)) / counted.sum((1, 2, 3)).clamp(min=1)).mean()
    probabilities = logits.sigmoid() * counted
    shared, both = (probabilities * truth).sum((1, 2, 3)), (probabilities + truth).sum((1, 2, 3))
    overlap = (1 - (2 * shared + _SMOOTH) / (both + _SMOOTH)).mean()
    there, asked = (truth.amax((2, 3)) > 0.5).float(), counted.amax((2, 3))
    present = F.binary_cross_entropy_with_logits(presence, there, reduction="none") * asked
    return 3 * entropy + overlap + 0.15 * present.sum() / asked.sum().clamp(min=1)


def _dsc(found: Tensor, truth: Tensor) -> Tensor:
    """(B,) DSC of masks (B, Z, H, W)."""
    shared = (found & truth).sum((1, 2, 3)).float()
    return 2 * shared / (found.sum((1, 2, 3)) + truth.sum((1, 2, 3))).clamp(min=1)
