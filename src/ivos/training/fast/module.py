"""Training the small network on walks with its own answers fed back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F

from ivos.nets.fast import FastNet, Remembered
from ivos.propagation.tracks import Shown, shown
from ivos.training.fast.walks import Walk, Walks, goes_on
from ivos.training.module import Training

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ivos.propagation.engines.protocol import FloatArray
    from ivos.training.fast.examples import Example
    from ivos.training.run_settings import RunSettings


class FastTraining(Training):
    """Learns from walks: at every slice the network goes on from its own last answer.

    Args:
        network: to begin with.
        settings: of the run.
        rate: learning rate at its highest.
    """

    network: FastNet

    def __init__(self, network: FastNet, settings: RunSettings, rate: float) -> None:
        super().__init__(network.to(memory_format=torch.channels_last), settings, rate)
        self._threads = ThreadPoolExecutor(2)

    def cases_of(self, batch: Walks) -> Sequence[str]:
        """Those of the walks."""
        return batch.cases

    def training_step(self, batch: Walks, number: int) -> Tensor:  # noqa: ARG002
        """Loss of one slice of each of the walks."""
        walks = batch.under_way()
        loss, scores = self._moved_on(self.network, walks)
        self.log_dict({"loss": loss, "dsc": _mean(scores)}, prog_bar=True, batch_size=len(walks))
        return loss

    def validation_step(self, batch: list[Example], number: int) -> None:  # noqa: ARG002
        """DSC of the averaged network over whole walks that are not trained on."""
        walks, scores = [Walk(example) for example in batch], []
        while under_way := [walk for walk in walks if goes_on(walk)]:
            loss, found = self._moved_on(self.averaged_network, under_way)
            if not torch.isfinite(loss):
                return
            scores += found
        self.log("val_dsc", _mean(scores), prog_bar=True, batch_size=len(batch), sync_dist=True)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, number: int) -> Any:  # noqa: ARG002
        """Walks stay where they are: views are cut on the CPU."""
        return batch

    def _moved_on(self, network: FastNet, walks: Sequence[Walk]) -> tuple[Tensor, list[float]]:
        """Every walk a slice further: the loss, and the DSC of each that has one; none if the loss is not finite."""
        gathered = list(self._threads.map(_gathered, walks))
        evidence, scalars = (torch.cat([getattr(g[0], part) for g in gathered]) for part in ("evidence", "scalars"))
        target = torch.from_numpy(np.stack([truth for _, truth, _ in gathered]))[:, None].to(self.device)
        known = torch.from_numpy(np.stack([ignored <= 0 for _, _, ignored in gathered]))[:, None].to(self.device)
        evidence = evidence.to(self.device, memory_format=torch.channels_last)
        memory = self._memory(network, walks)
        logits, presence = network(evidence, scalars.to(self.device), memory)
        logits, presence = logits.float(), presence.float()
        loss = _loss(logits, presence, target, known)
        if not torch.isfinite(loss):
            return loss, []
        seen = logits.detach().sigmoid() * (presence.detach() > 0)[:, None, None, None]
        answers = seen.squeeze(1).cpu().numpy()
        scores = [walk.advance(answer) for walk, answer in zip(walks, answers, strict=True)]
        return loss, [score for score in scores if score is not None]

    def _memory(self, network: FastNet, walks: Sequence[Walk]) -> Remembered:
        """The drawn slices that each walk reads from, each of them encoded once."""
        nearest = [reference for walk in walks for reference in walk.nearest()]
        places = {id(reference): reference for reference in nearest}
        drawn = torch.from_numpy(np.stack([reference.shown for reference in places.values()])).to(self.device)
        parts = network.remember(drawn[:, 2:], network.encode(drawn[:, :2]))
        rows = {identity: row for row, identity in enumerate(places)}
        index = torch.tensor([rows[id(reference)] for reference in nearest], device=self.device)
        return Remembered(*(part[index].reshape(len(walks), -1, part.shape[2]) for part in (parts.keys, parts.values)))


def _gathered(walk: Walk) -> tuple[Shown, FloatArray, FloatArray]:
    """What the network is shown of a walk, what is true, and where nothing is said of it."""
    return shown([walk.track], [walk.step()]), walk.truth, walk.ignored


def _loss(logits: Tensor, presence: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Cross-entropy and Dice of the masks, Dice only where there is something; cross-entropy of presence.

    Pixels that are not known count in neither; what is not seen may be where nothing is said, so that there its absence
    is not taught.
    """
    probabilities, target = logits.sigmoid() * known, target * known
    there = (target.amax((1, 2, 3)) > 0.5).float()
    shared, both = (probabilities * target).sum((1, 2, 3)), (probabilities + target).sum((1, 2, 3))
    overlap = 1 - (2 * shared + 1) / (both + 1)
    each = F.binary_cross_entropy_with_logits(logits, target, reduction="none") * known
    masks = 3 * each.sum() / known.sum().clamp(min=1) + (overlap * there).sum() / there.sum().clamp(min=1)
    told = (there > 0) | known.all((1, 2, 3))
    present = F.binary_cross_entropy_with_logits(presence, there, reduction="none") * told
    return masks + 0.3 * present.sum() / told.sum().clamp(min=1)


def _mean(scores: list[float]) -> float:
    return float(np.mean(scores)) if scores else 0.0
