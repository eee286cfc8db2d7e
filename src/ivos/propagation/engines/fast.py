"""Carries masks with the small network: every structure, or piece of one, in its own view, many in one batch."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import torch

from ivos.device import pick_device
from ivos.nets.fast import MemorySlice
from ivos.nets.runners import loaded_runner
from ivos.propagation.engines.protocol import EngineEntry, EngineOptions
from ivos.propagation.masks import Masks
from ivos.propagation.optical_flow import Flow, flow_around, grey, moved
from ivos.propagation.tracking import Step, Track, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ivos.nets.runners import Runner
    from ivos.propagation.engines.protocol import Slice
    from ivos.propagation.tracking import Piece, Reference
    from ivos.types import BoolArray, FloatArray


VIEWS_AT_ONCE = 32
"""What the network is asked in one batch: what it and its evidence hold is bounded by this, and stays in the cache."""


class FastEngine:
    """Follows each structure by what its drawn slices, the slices around and the other pass say of it.

    Args:
        runner: what computes the network.

    Attributes:
        temperature: what the logits of its masks are divided by for a confidence.
    """

    fuses = True

    def __init__(self, runner: Runner) -> None:
        self._runner, self.temperature = runner, runner.temperature
        self.reset()

    def reset(self) -> None:
        """Forget every structure."""
        self._tracks: list[Track] = []
        self._last: Slice | None = None
        self._anchors = Masks((0, 0), ())
        self._remembered: dict[int, tuple[Reference, MemorySlice]] = {}  # by the reference's identity

    def observe(self, image: Slice, masks: Masks, known: BoolArray) -> None:
        """Remember the drawn structures of a slice, and go on from it."""
        if not self._tracks:
            self._tracks = [Track(image.index, None) for _ in masks.patches]
        for track, patch, drawn in zip(self._tracks, masks.patches, known, strict=True):
            track.index, track.mask = image.index, patch
            if drawn:
                track.start()
                track.learn(image.index, image.image, patch)
        arrived = self._last is not None and self._last.index == image.index
        self._anchors = self._anchors.replaced(known, masks) if arrived else masks
        self._last, self._held = image, masks.total()

    def predict(self, image: Slice, opposite: Masks | None) -> Masks:
        """The structures on the next slice."""
        if self._last is None:
            raise RuntimeError("predict before observe")
        flow = self._flow(image, self._last, opposite)
        self._anchors, shape = moved(self._anchors, flow), self._anchors.shape
        steps = self._steps(self._last, image, opposite, flow)
        found = [(track, step) for track, step in zip(self._tracks, steps, strict=True) if track.look(step.opposite)]
        looks = [(track, piece, step) for track, step in found for piece in track.pieces]
        answers = self._answers(looks) if looks else iter(())
        arrived = {id(track): track.arrive(list(islice(answers, len(track.pieces))), shape) for track, _ in found}
        masks = Masks(shape, tuple(arrived.get(id(track)) for track in self._tracks)).limited()
        for track, patch in zip(self._tracks, masks.patches, strict=True):
            track.index, track.mask = image.index, patch
        self._last, self._held = image, masks.total()
        return masks

    def _flow(self, image: Slice, last: Slice, opposite: Masks | None) -> Flow:
        """The flow about everything that may be followed: one for all structures."""
        places = (self._held > 0) | (self._anchors.total() > 0)
        if opposite is not None:
            places |= opposite.total() > 0
        return flow_around(places, grey(image.image), grey(last.image)) or Flow(np.zeros((1, 1, 2), np.float32))

    def _steps(self, last: Slice, image: Slice, opposite: Masks | None, flow: Flow) -> list[Step]:
        """What lies before each structure."""
        said = [None] * len(self._tracks) if opposite is None else opposite.patches
        return [
            Step(
                index=image.index,
                previous=last.image,
                current=image.image,
                ahead=image.ahead,
                held=self._held,
                opposite=patch,
                opposed=opposite is not None,
                anchor=anchor,
                flow=flow,
            )
            for patch, anchor in zip(said, self._anchors.patches, strict=True)
        ]

    def _answers(self, looks: Sequence[tuple[Track, Piece, Step]]) -> Iterator[FloatArray]:
        """What the network says of the pieces of structures that there is something of: (S, S) each."""
        nearest = [track.nearest(step.index, piece) for track, piece, step in looks]
        self._learn(nearest)
        for first in range(0, len(looks), VIEWS_AT_ONCE):
            part = slice(first, first + VIEWS_AT_ONCE)
            seen = shown(looks[part])
            yield from self._runner.answer(seen.evidence, seen.scalars, self._memory(nearest[part])).numpy()

    def _learn(self, nearest: Sequence[Sequence[Reference]]) -> None:
        """Encode the drawn slices to read from; those that the walk has left behind are forgotten.

        So there are at most two of each structure at any time, and each is encoded once in a pass: a drawn slice that
        is not among the nearest any more does not come back among them.
        """
        wanted = {id(reference): reference for references in nearest for reference in references}
        new = [reference for number, reference in wanted.items() if number not in self._remembered]
        for first in range(0, len(new), VIEWS_AT_ONCE):
            part = new[first : first + VIEWS_AT_ONCE]
            made = self._runner.remember(torch.from_numpy(np.stack([reference.shown for reference in part])))
            for row, reference in enumerate(part):
                of_row = slice(row, row + 1)
                self._remembered[id(reference)] = reference, MemorySlice(made.keys[of_row], made.values[of_row])
        self._remembered = {number: self._remembered[number] for number in wanted}

    def _memory(self, nearest: Sequence[Sequence[Reference]]) -> MemorySlice:
        """Keys and values of the drawn slices that some structures read from."""
        kept = [[self._remembered[id(reference)][1] for reference in references] for references in nearest]
        return MemorySlice(
            torch.cat([torch.cat([part.keys for part in parts], 1) for parts in kept]),
            torch.cat([torch.cat([part.values for part in parts], 1) for parts in kept]),
        )


def _create(options: EngineOptions) -> FastEngine:
    return FastEngine(loaded_runner(options.checkpoint, pick_device(options.device)))


ENTRY = EngineEntry(_create, checkpoint="optional", own_weights=("sharpness",))
