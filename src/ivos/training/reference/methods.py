"""Training methods for slice segmentation: supervised and semi-supervised.

References:
    Chen, Yuan, Zeng, Wang: Semi-Supervised Semantic Segmentation with Cross Pseudo Supervision, CVPR 2021.
    Zheng, Yang: Rectifying Pseudo Label Learning via Uncertainty Estimation for Domain Adaptive Semantic Segmentation,
    IJCV 2021.
    Yang, Qi, Feng, Zhang, Shi: Revisiting Weak-to-Strong Consistency in Semi-Supervised Semantic Segmentation
    (UniMatch), CVPR 2023.
    Laine, Aila: Temporal Ensembling for Semi-Supervised Learning, ICLR 2017 (the ramp-up).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol, cast

import torch
import torch.nn.functional as F
from torch import nn

from ivos.training.reference.losses import cross_entropy
from ivos.training.reference.slices import IGNORED

if TYPE_CHECKING:
    from torch import Tensor

    from ivos.nets.reference import ReferenceNetwork
    from ivos.training.reference.losses import SupervisedLoss

Batch = dict[str, "Tensor"]

_SURE = 0.95  # consistency learns from pixels of which the weak view is as sure as this
_FEATURES_LOST = 0.5
_CUT_AREA, _CUT_ASPECT = (0.02, 0.4), (0.3, 1 / 0.3)


class Method(Protocol):
    """How a loss comes of a batch of labelled slices and one of unlabelled ones."""

    networks: nn.ModuleList  # the first is the one that is kept

    def loss(self, labelled: Batch, unlabelled: Batch | None, progress: float) -> dict[str, Tensor]:
        """Parts of the loss, to be added up; progress of the training is 0..1."""


class Supervised:
    """Labelled slices alone.

    Args:
        network: the network.
        supervised: the loss of labelled slices.
    """

    def __init__(self, network: nn.Module, supervised: SupervisedLoss) -> None:
        self.networks = nn.ModuleList([network])
        self._supervised = supervised

    def loss(self, labelled: Batch, unlabelled: Batch | None, progress: float) -> dict[str, Tensor]:  # noqa: ARG002
        return {"supervised": self._supervised(_logits(self.networks[0], labelled), labelled["labels"])}


class CrossPseudo:
    """Two networks, each taught on unlabelled slices by what the other says there.

    Args:
        first: a network.
        second: another one, best of another kind.
        supervised: the loss of labelled slices.
        weight: of that teaching, once it has risen.
        rectified: whether pixels count less where the two disagree.
    """

    def __init__(
        self, first: nn.Module, second: nn.Module, supervised: SupervisedLoss, *, weight: float, rectified: bool
    ) -> None:
        self.networks = nn.ModuleList([first, second])
        self._supervised = supervised
        self._weight, self._rectified = weight, rectified

    def loss(self, labelled: Batch, unlabelled: Batch | None, progress: float) -> dict[str, Tensor]:
        if unlabelled is None:
            raise ValueError("cross pseudo supervision needs unlabelled slices")
        both = {key: torch.cat([labelled[key], unlabelled[key]]) for key in labelled}
        count, known = len(labelled["image"]), both["labels"] != IGNORED
        first, second = (_logits(network, both) for network in self.networks)
        supervised = [self._supervised(logits[:count], labelled["labels"]) for logits in (first, second)]
        taught = [self._pseudo_loss(a, b.detach(), known) for a, b in ((first, second), (second, first))]
        weight = self._weight * ramp_up(progress)
        return {"supervised": supervised[0] + supervised[1], "pseudo": weight * (taught[0] + taught[1])}

    def _pseudo_loss(self, pupil: Tensor, teacher: Tensor, known: Tensor) -> Tensor:
        hard = torch.where(known, teacher.argmax(1), IGNORED)
        if not self._rectified:
            return cross_entropy(pupil, hard)
        apart = F.kl_div(pupil.log_softmax(1), teacher.log_softmax(1), reduction="none", log_target=True).sum(1)
        each = F.cross_entropy(pupil, hard, ignore_index=IGNORED, reduction="none")
        rectified = (each * torch.exp(-apart) + apart) * known
        return rectified.sum() / known.sum().clamp(min=1)


class Consistency:
    """One network, taught on two strongly disturbed views and on disturbed features by what it says of a weak view.

    Args:
        network: the network.
        supervised: the loss of labelled slices.
        weight: of that teaching.
    """

    def __init__(self, network: nn.Module, supervised: SupervisedLoss, *, weight: float) -> None:
        self.networks = nn.ModuleList([network])
        self._supervised = supervised
        self._weight = weight

    def loss(self, labelled: Batch, unlabelled: Batch | None, progress: float) -> dict[str, Tensor]:  # noqa: ARG002
        if unlabelled is None:
            raise ValueError("consistency needs unlabelled slices")
        network = cast("ReferenceNetwork", self.networks[0])
        image, position, inside = unlabelled["image"], unlabelled["position"], unlabelled["labels"] != IGNORED
        count = len(labelled["image"])
        features = network.encode(torch.cat([labelled["image"], image]))
        poorer = [F.dropout2d(part[count:], _FEATURES_LOST) for part in features]
        every = [torch.cat(parts) for parts in zip(features, poorer, strict=True)]
        logits = network.decode(every, torch.cat([labelled["position"], position, position]))
        drawn, weak, poor = torch.split(logits, [count, len(image), len(image)])
        sure, hard = weak.detach().softmax(1).max(1)
        teaching = Teaching(torch.where(inside & (sure >= _SURE), hard, IGNORED), inside)
        boxes = [_boxes(image) for _ in range(2)]
        mix = [torch.where(box[:, None], perturb(image).roll(1, 0), perturb(image)) for box in boxes]
        strong = network.decode(network.encode(torch.cat(mix)), position.repeat(2)).chunk(2)
        views = [teaching.mix(box).loss(view) for box, view in zip(boxes, strong, strict=True)]
        taught = 0.25 * views[0] + 0.25 * views[1] + 0.5 * teaching.loss(poor)
        supervised = self._supervised(drawn, labelled["labels"])
        return {"supervised": supervised, "consistency": self._weight * taught}


class Teaching:
    """What a network is taught of some slices.

    Args:
        labels: (B, H, W) class numbers, :data:`IGNORED` where the teacher is not sure.
        inside: (B, H, W) where the slices reach; all of it shares in the mean, so that the unsure weigh less.
    """

    def __init__(self, labels: Tensor, inside: Tensor) -> None:
        self._labels, self._inside = labels, inside

    def mix(self, boxes: Tensor) -> Teaching:
        """With the slice before each one in boxes (B, H, W)."""
        labels, inside = (torch.where(boxes, part.roll(1, 0), part) for part in (self._labels, self._inside))
        return Teaching(labels, inside)

    def loss(self, logits: Tensor) -> Tensor:
        """Cross entropy of logits (B, K, H, W)."""
        each = F.cross_entropy(logits, self._labels, ignore_index=IGNORED, reduction="none")
        return each.sum() / self._inside.sum().clamp(min=1)


def perturb(image: Tensor) -> Tensor:
    """Slices (B, C, H, W) in another contrast and brightness each, some of them blurred, all with noise."""
    count = len(image)
    shape = (count, 1, 1, 1)
    gamma = torch.exp(torch.empty(shape).uniform_(-0.4, 0.4)).to(image)
    gain, offset = torch.empty(shape).uniform_(0.75, 1.25).to(image), torch.empty(shape).uniform_(-0.12, 0.12).to(image)
    seen = (image.clamp(0, 1) ** gamma - 0.5) * gain + 0.5 + offset
    blurred = F.avg_pool2d(seen, 3, 1, 1, count_include_pad=False)
    seen = torch.where((torch.rand(shape) < 0.5).to(image.device), blurred, seen)
    return (seen + 0.03 * torch.randn_like(seen)).clamp(0, 1)


def ramp_up(progress: float) -> float:
    """From nearly 0 to 1: exp(-5 (1 - t)^2)."""
    return math.exp(-5 * (1 - min(max(progress, 0.0), 1.0)) ** 2)


def _boxes(image: Tensor) -> Tensor:
    """A random rectangle in half of the slices: (B, H, W)."""
    count, _, height, width = image.shape
    boxes = torch.zeros((count, height, width), dtype=torch.bool)
    for box in boxes:
        if torch.rand(()) < 0.5:
            area = torch.empty(()).uniform_(*_CUT_AREA).item() * height * width
            aspect = math.exp(torch.empty(()).uniform_(*map(math.log, _CUT_ASPECT)).item())
            h, w = min(height, round(math.sqrt(area * aspect))), min(width, round(math.sqrt(area / aspect)))
            top, left = (int(torch.randint(0, n + 1, ())) for n in (height - h, width - w))
            box[top : top + h, left : left + w] = True
    return boxes.to(image.device)


def _logits(network: nn.Module, batch: Batch) -> Tensor:
    reference = cast("ReferenceNetwork", network)
    return reference.decode(reference.encode(batch["image"]), batch["position"])
