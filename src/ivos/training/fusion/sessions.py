"""Simulated corrections of a propagated phantom: the worst slices are annotated one by one.

References:
    Cheng, Tai, Tang: Modular Interactive Video Object Segmentation: Interaction-to-Mask, Propagation and
    Difference-Aware Fusion, CVPR 2021.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ivos.metrics.overlap import dsc
from ivos.phantom import abdomen, random_shapes
from ivos.propagation.annotations import Annotations
from ivos.propagation.bidirectional import SliceStack, walk
from ivos.propagation.corrections.correct import correct
from ivos.propagation.fusion import PackedMasks, decide
from ivos.types import Axis
from ivos.volume.labels import structures_in

if TYPE_CHECKING:
    from ivos.phantom import Phantom
    from ivos.propagation.corrections.correct import Merge
    from ivos.propagation.engines.protocol import Engine
    from ivos.types import Array

_ABDOMENS = 0.5  # share of the scans
_DRAWN = (1, 4)  # slices from which a session begins


def phantom_of(number: int) -> Phantom:
    """The phantom of a number: an abdomen, or random structures."""
    rng = np.random.default_rng((number, 5))
    if rng.random() < _ABDOMENS:
        plane_mm, through_mm = float(rng.uniform(1.8, 3.2)), float(rng.uniform(2.5, 6))
        shape = (int(rng.integers(32, 49)), 160, 160)
        return abdomen(number, shape=shape, spacing_mm=(through_mm, plane_mm, plane_mm))
    return random_shapes(number, shape=(int(rng.integers(24, 40)), 128, 128))


@dataclass
class Session:
    """A scan in the hands of a person.

    Attributes:
        stack: its slices.
        truth: (N, H, W) labels.
        annotations: what is drawn so far: whole slices.
        masks: what is held of every slice.
    """

    stack: SliceStack
    truth: Array
    annotations: Annotations
    masks: list[PackedMasks]

    @staticmethod
    def start(phantom: Phantom, rng: np.random.Generator, engine: Engine) -> Session | None:
        """A few drawn slices of a phantom, propagated; None if it shows nothing."""
        truth, stack = phantom.labels.array, SliceStack.of(phantom.scan, Axis.AXIAL, "auto")
        showing = np.flatnonzero((truth > 0).any(axis=(1, 2)))
        if not showing.size:
            return None
        drawn = rng.choice(showing, min(int(rng.integers(*_DRAWN, endpoint=True)), len(showing)), replace=False)
        annotations = _annotate(truth, tuple(structures_in(truth[drawn])), frozenset(int(n) for n in drawn))
        found = [p for p in walk(stack, annotations, engine) if p is not None]
        masks = [PackedMasks.pack(p.masks) for p in sorted(found, key=lambda p: p.index)]
        return Session(stack, truth, annotations, masks)

    def worst(self) -> int:
        """The slice on which most pixels are labelled wrongly, of those that are not drawn."""
        ids = np.array([0, *self.annotations.structures])
        known = np.where(np.isin(self.truth, ids), self.truth, 0)
        wrong = [
            -1 if n in self.annotations.slices else int((ids[decide(m.unpack())[0]] != known[n]).sum())
            for n, m in enumerate(self.masks)
        ]
        return int(np.argmax(wrong))

    def correct(self, number: int, engine: Engine, merge: Merge) -> None:
        """Draw the truth on a slice, carry it and merge it."""
        drawn = self.annotations.complete | {number}
        self.annotations = _annotate(self.truth, self.annotations.structures, drawn)
        answers = correct(self.stack, self.annotations, number, lambda n: self.masks[n].unpack(), engine, merge)
        for answer in answers:
            self.masks[answer.index] = PackedMasks.pack(answer.masks)

    def dsc(self) -> list[float]:
        """Of every structure in the whole scan."""
        classes = np.stack([decide(masks.unpack())[0] for masks in self.masks])
        return [dsc(classes == k, self.truth == label) for k, label in enumerate(self.annotations.structures, start=1)]


def _annotate(truth: Array, structures: tuple[int, ...], slices: frozenset[int]) -> Annotations:
    """The truth on some slices."""
    labels = np.zeros_like(truth)
    for number in slices:
        labels[number] = np.where(np.isin(truth[number], structures), truth[number], 0)
    return Annotations(labels, structures, complete=slices)
