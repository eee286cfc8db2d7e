"""Training the network for strokes on rollouts of its own predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F

from ivos.training.module import Training
from ivos.training.strokes.rollouts import PromptRollout, PromptRollouts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ivos.nets.strokes import StrokesNet
    from ivos.training.run_settings import RunSettings
    from ivos.training.strokes.examples import Example

_CHECKED_STROKES = 4


class StrokesTraining(Training):
    """Learns from rollouts: after every stroke the network starts from its own last prediction.

    Args:
        network: initial network.
        settings: of the run.
        rate: peak learning rate.
    """

    network: StrokesNet

    def __init__(self, network: StrokesNet, settings: RunSettings, rate: float) -> None:
        super().__init__(network.to(memory_format=torch.channels_last), settings, rate)

    def cases_of(self, batch: PromptRollouts) -> Sequence[str]:
        """Those of the drawings."""
        return batch.cases

    def training_step(self, batch: PromptRollouts, number: int) -> Tensor:  # noqa: ARG002
        """Loss of one answer to each of the drawings."""
        drawings = batch.under_way()
        loss, scores = self._advance(self.network, drawings)
        self.log_dict({"loss": loss, "dsc": float(np.mean(scores or [0.0]))}, prog_bar=True, batch_size=len(drawings))
        return loss

    def validation_step(self, batch: list[Example], number: int) -> None:  # noqa: ARG002
        """Mean DSC of the averaged network after some strokes on slices that are not trained on."""
        drawings = under_way = [PromptRollout(example, _CHECKED_STROKES) for example in batch]
        while under_way := [drawing for drawing in under_way if not drawing.over]:
            if not self._advance(self.averaged_network, under_way)[1]:
                return
        held = [d.scores + d.scores[-1:] * (_CHECKED_STROKES - len(d.scores)) for d in drawings if d.scores]
        self.log("val_dsc", float(np.mean(held)), prog_bar=True, batch_size=len(batch), sync_dist=True)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, number: int) -> Any:  # noqa: ARG002
        """Drawings stay where they are: views are cut on the CPU."""
        return batch

    def _advance(self, network: StrokesNet, drawings: Sequence[PromptRollout]) -> tuple[Tensor, list[float]]:
        """Every drawing an answer further: the loss, and the DSC of each; none where the loss is not finite."""
        evidence, truth = (np.stack(part) for part in zip(*(drawing.shown() for drawing in drawings), strict=True))
        shown = torch.from_numpy(evidence).to(self.device, memory_format=torch.channels_last)
        logits = network(shown).float()
        loss = _loss(logits, torch.from_numpy(truth)[:, None].to(self.device))
        if not torch.isfinite(loss):
            return loss, []
        answers = logits.detach().sigmoid().squeeze(1).cpu().numpy()
        scores = [drawing.advance(answer) for drawing, answer in zip(drawings, answers, strict=True)]
        return loss, scores


def _loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy and Dice."""
    probabilities = logits.sigmoid()
    shared, both = (probabilities * truth).sum((1, 2, 3)), (probabilities + truth).sum((1, 2, 3))
    overlap = 1 - (2 * shared + 1) / (both + 1)
    return 3 * F.binary_cross_entropy_with_logits(logits, truth) + overlap.mean()
