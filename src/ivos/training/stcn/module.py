"""Training STCN on clips: given the masks of the first slice, it predicts those of the others from memory.

References:
    Cheng, Tai, Tang: Rethinking Space-Time Networks with Improved Memory Coverage for Efficient Video Object
    Segmentation, NeurIPS 2021.
    Li, Xu, Peng, See, Lin: Delving into the Cyclic Mechanism in Semi-supervised Video Object Segmentation, NeurIPS
    2020.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from ivos.metrics.overlap import dsc
from ivos.nets.stcn import STCN, KeyFeatures, aggregate
from ivos.propagation.engines.stcn import STCNEngine
from ivos.propagation.engines.working_grid import normalised
from ivos.propagation.propagate import propagate
from ivos.training.callbacks import SCORE
from ivos.training.data.store import UNKNOWN, StoredScan
from ivos.training.module import Training
from ivos.training.pictures import log_picture
from ivos.training.stcn.deform import BEYOND
from ivos.volume.labels import structures_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from ivos.propagation.engines.protocol import Engine
    from ivos.training.propagation_settings import PropagationSettings, STCNSettings
    from ivos.training.stcn.clips import Clips
    from ivos.types import Array

_VALIDATION_BYTES = 10**9


class STCNTraining(Training):
    """Learns to carry masks over clips.

    Args:
        network: initial network.
        settings: of the training; the network is STCN.
        rate: peak learning rate.
        frozen_norms: whether batch norms keep their statistics, as those of published weights do.
    """

    network: STCN

    def __init__(self, network: STCN, settings: PropagationSettings, rate: float, *, frozen_norms: bool) -> None:
        super().__init__(network, settings, rate)
        self._own = cast("STCNSettings", settings.network)
        for module in network.modules():
            if frozen_norms and isinstance(module, _BatchNorm):
                module.eval()  # Lightning leaves each module in the mode in which it finds it

    def cases_of(self, batch: Clips) -> Sequence[str]:
        """Those of the clips."""
        cases: Sequence[str] = batch["cases"]
        return cases

    def training_step(self, batch: Clips, number: int) -> Tensor:  # noqa: ARG002
        """Loss of the slices that were read from memory."""
        labels = batch["labels"]
        clip = ClipPass(self.network, normalised(batch["images"]), structures=max(1, int(labels.max())))
        first = clip.masks(labels[:, 0])
        found = {0: clip.propagate_back_and_forth(first)} if bool(batch["cycle"]) else clip.propagate(first)
        share = _hardest_share(self.progress, self._own.bootstrapped)
        loss = torch.stack([_loss(shares, labels[:, t], share) for t, shares in found.items()]).mean()
        self.log("loss", loss, prog_bar=True, batch_size=len(labels), sync_dist=True)
        return loss

    def validation_step(self, batch: Sequence[Path], number: int) -> None:
        """Mean DSC over the structures of a whole scan, from the largest slice of each; a picture of the first one."""
        for path in batch:
            engine = STCNEngine(
                self.averaged_network,
                device=self.device,
                memory_budget_bytes=_VALIDATION_BYTES,
                working_size=self._own.size,
            )
            with torch.autocast(self.device.type, enabled=False):  # as the engine is used
                found, score = propagate_scan(engine, scan := StoredScan(path))
            if number == 0:
                log_picture(self, scan, found)
            if not math.isnan(score):
                self.log(SCORE, score, prog_bar=True, batch_size=1, sync_dist=True)


@dataclass(frozen=True)
class _Memory:
    keys: Tensor  # (B, 64, N)
    values: Tensor  # (B, K * 512, N)

    def append(self, other: _Memory) -> _Memory:
        return _Memory(torch.cat([self.keys, other.keys], 2), torch.cat([self.values, other.values], 2))


class ClipPass:
    """A network over some clips.

    Args:
        network: trained.
        images: (B, T, 3, S, S), normalised.
        structures: how many there are at most, K.
    """

    def __init__(self, network: STCN, images: Tensor, *, structures: int) -> None:
        self._network, self._images, self._structures = network, images, structures
        seen = network.encode_key(images.flatten(0, 1))
        parts = (seen.key, seen.content, seen.f16, seen.f8, seen.f4)
        self._features = [KeyFeatures(*(part[t :: images.shape[1]] for part in parts)) for t in range(images.shape[1])]

    def masks(self, labels: Tensor) -> Tensor:
        """(B, K, S, S) of labels (B, S, S)."""
        numbers = torch.arange(1, self._structures + 1, device=labels.device)
        return (labels[:, None] == numbers[:, None, None]).to(self._images)

    def propagate(self, first: Tensor) -> dict[int, Tensor]:
        """Shares (B, K + 1, S, S) on every slice after the first, from its masks and from the answers before."""
        memory, found, there = self._memorise(0, first), {}, first.amax((2, 3)) > 0
        for t in range(1, self._images.shape[1]):
            found[t] = self._read(t, memory, there)
            if t + 1 < self._images.shape[1]:
                memory = memory.append(self._memorise(t, found[t][:, 1:]))
        return found

    def propagate_back_and_forth(self, first: Tensor) -> Tensor:
        """Shares (B, K + 1, S, S) on the first slice, from the answers on the others alone."""
        there, last = first.amax((2, 3)) > 0, self._images.shape[1] - 1
        memory = self._memorise(last, self.propagate(first)[last][:, 1:])
        for t in range(last - 1, 0, -1):
            memory = memory.append(self._memorise(t, self._read(t, memory, there)[:, 1:]))
        return self._read(0, memory, there)

    def _memorise(self, t: int, masks: Tensor) -> _Memory:
        others = masks.sum(1, keepdim=True) - masks
        image, f16 = (self._for_each(part) for part in (self._images[:, t], self._features[t].f16))
        values = self._network.encode_value(image, f16, masks.flatten(0, 1)[:, None], others.flatten(0, 1)[:, None])
        keys = self._features[t].key.flatten(2)
        return _Memory(keys, values.float().reshape(len(masks), -1, keys.shape[2]))

    def _read(self, t: int, memory: _Memory, there: Tensor) -> Tensor:
        """Shares (B, K + 1, S, S) of slice t; the affinity is that of the engine's memory, over all its places."""
        seen = self._features[t]
        query, height, width = seen.key.flatten(2), *seen.key.shape[2:]
        similarity = 2 * memory.keys.transpose(1, 2) @ query - memory.keys.square().sum(1)[:, :, None]  # (B, N, M)
        affinity = (similarity / math.sqrt(query.shape[1])).softmax(1)
        readout = (memory.values @ affinity).reshape(-1, memory.values.shape[1] // self._structures, height, width)
        parts = (seen.key, seen.content, seen.f16, seen.f8, seen.f4)
        probabilities = self._network.decode(readout, KeyFeatures(*(self._for_each(part) for part in parts)))
        own = probabilities.reshape(*there.shape, *probabilities.shape[1:]) * there[:, :, None, None]
        return aggregate(own.transpose(0, 1)).transpose(0, 1).contiguous()

    def _for_each(self, part: Tensor) -> Tensor:
        """(B, ...) to (B * K, ...)."""
        return part.repeat_interleave(self._structures, 0)


def _loss(shares: Tensor, labels: Tensor, hardest: float) -> Tensor:
    """Cross entropy of shares (B, K + 1, S, S), of each slice the mean over that share of its pixels that is worst."""
    each = F.nll_loss(shares.clamp(min=1e-7).log(), labels, ignore_index=BEYOND, reduction="none").flatten(1)
    return each.topk(max(1, round(hardest * each.shape[1])), 1).values.mean()


def _hardest_share(progress: float, between: tuple[float, float]) -> float:
    """Which share of the pixels counts: all at first, the hardest 15 % in the end."""
    first, last = between
    left = (last - progress) / max(last - first, 1e-9)
    return 0.15 + 0.85 * min(max(left, 0.0), 1.0)


def propagate_scan(engine: Engine, scan: StoredScan) -> tuple[Array, float]:
    """A scan's labels (Z, Y, X) from the slices that show most of a structure, and their mean DSC on the others.

    The DSC counts where the labels say something, and is NaN where no labelled slice is left.
    """
    labels = scan.labels()
    ignored = labels.array == UNKNOWN
    truth = np.where(ignored, 0, labels.array)
    ids = structures_in(truth)
    largest = sorted({int((truth == label).sum(axis=(1, 2)).argmax()) for label in ids})
    drawn = np.zeros_like(truth)
    drawn[largest] = truth[largest]
    found = propagate(scan.scan(), labels.with_array(drawn), engine=engine, axis="axial", complete=largest).labels.array
    left = np.setdiff1d(np.arange(len(truth)), largest)
    scores = [dsc((found[left] == label) & ~ignored[left], truth[left] == label) for label in ids]
    return found, float(np.nanmean(scores)) if not np.isnan(scores).all() else math.nan
