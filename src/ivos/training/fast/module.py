"""Training the small network on walks with its own answers fed back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F

from ivos.nets.fast import FastNet, MemorySlice
from ivos.propagation.tracking import Shown, shown
from ivos.training.fast.rollouts import Rollout, Rollouts, goes_on
from ivos.training.module import Training

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ivos.training.fast.examples import Example
    from ivos.training.run_settings import RunSettings
    from ivos.types import FloatArray


_SMOOTH = 20.0  # pixels by which Dice is softened, so that a few false ones past an end cost little


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

    def cases_of(self, batch: Rollouts) -> Sequence[str]:
        """Those of the walks."""
        return batch.cases

    def training_step(self, batch: Rollouts, number: int) -> Tensor:  # noqa: ARG002
        """Loss of one slice of each of the walks."""
        walks = batch.under_way()
        loss = self._moved_on(self.network, walks)
        self.log("loss", loss, prog_bar=True, batch_size=len(walks))
        return loss

    def validation_step(self, batch: list[Example], number: int) -> None:  # noqa: ARG002
        """DSC of the averaged network over whole walks that are not trained on, and false and missed pixels."""
        walks = [Rollout(example) for example in batch]
        while under_way := [walk for walk in walks if goes_on(walk)]:
            if not torch.isfinite(self._moved_on(self.averaged_network, under_way)):
                return
        counted = [walk.counts for walk in walks if walk.counts.dsc is not None]
        truth = [max(counts.shared + counts.missed, 1) for counts in counted]
        figures = {
            "val_dsc": _mean([counts.dsc or 0.0 for counts in counted]),
            "val_fp": _mean([min(counts.false / true, 3) for counts, true in zip(counted, truth, strict=True)]),
            "val_fn": _mean([counts.missed / true for counts, true in zip(counted, truth, strict=True)]),
        }
        self.log_dict(figures, prog_bar=True, batch_size=len(batch), sync_dist=True)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, number: int) -> Any:  # noqa: ARG002
        """Walks stay where they are: views are cut on the CPU."""
        return batch

    def _moved_on(self, network: FastNet, walks: Sequence[Rollout]) -> Tensor:
        """Every walk a slice further: the loss. The walks stay where they are if it is not finite."""
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
            return loss
        seen = logits.detach().sigmoid() * (presence.detach() > 0)[:, None, None, None]
        answers = seen.squeeze(1).cpu().numpy()
        for walk, answer in zip(walks, answers, strict=True):
            walk.advance(answer)
        return loss

    def _memory(self, network: FastNet, walks: Sequence[Rollout]) -> MemorySlice:
        """The drawn slices that each walk reads from, each of them encoded once."""
        nearest = [reference for walk in walks for reference in walk.nearest()]
        places = {id(reference): reference for reference in nearest}
        drawn = torch.from_numpy(np.stack([reference.shown for reference in places.values()])).to(self.device)
        parts = network.remember(drawn[:, 2:], network.encode(drawn[:, :2]))
        rows = {identity: row for row, identity in enumerate(places)}
        index = torch.tensor([rows[id(reference)] for reference in nearest], device=self.device)
        return MemorySlice(*(part[index].reshape(len(walks), -1, part.shape[2]) for part in (parts.keys, parts.values)))


def _gathered(walk: Rollout) -> tuple[Shown, FloatArray, FloatArray]:
    """What the network is shown of a walk, what is true, and where nothing is said of it."""
    return shown([(walk.track, walk.piece, walk.step())]), walk.truth, walk.ignored


def _loss(logits: Tensor, presence: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Cross-entropy and Dice of the masks on every slice, cross-entropy of presence.

    Where the structure has ended, Dice is what is left of it there: going too far costs as much as stopping too early.
    Pixels that are not known count in neither; what is not seen may be where nothing is said, so that there its absence
    is not taught.
    """
    probabilities, target = logits.sigmoid() * known, target * known
    there = (target.amax((1, 2, 3)) > 0.5).float()
    told = (there > 0) | known.all((1, 2, 3))
    shared, both = (probabilities * target).sum((1, 2, 3)), (probabilities + target).sum((1, 2, 3))
    overlap = (1 - (2 * shared + _SMOOTH) / (both + _SMOOTH)) * told
    each = F.binary_cross_entropy_with_logits(logits, target, reduction="none") * known
    masks = 3 * each.sum() / known.sum().clamp(min=1) + overlap.sum() / told.sum().clamp(min=1)
    present = F.binary_cross_entropy_with_logits(presence, there, reduction="none") * told
    return masks + 0.3 * present.sum() / told.sum().clamp(min=1)


def _mean(scores: list[float]) -> float:
    return float(np.mean(scores)) if scores else 0.0
