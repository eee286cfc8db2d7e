"""Walks over examples, many at once, each at a place of its own: every step of the training moves all of them on.

A walk goes on from the network's own answers, wherever they lead, so that the network learns from what its mistakes
lead to: at every distance from the drawn slice, and long past the end of a structure that it did not stop at.

References:
    Ross, Gordon, Bagnell: A reduction of imitation learning and structured prediction to no-regret online learning,
    AISTATS 2011.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from ivos.propagation.patch import Patch
from ivos.propagation.tracking import VIEW_PIXELS, Piece, Reference, Step, Track

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ivos.training.fast.examples import Example
    from ivos.types import FloatArray


@dataclass
class Counts:
    """Pixels of the slices that a walk has answered or given up: shared with the truth, false, missed."""

    shared: float = 0.0
    false: float = 0.0
    missed: float = 0.0

    @property
    def dsc(self) -> float | None:
        """Their DSC; None where there is nothing."""
        both = 2 * self.shared + self.false + self.missed
        return 2 * self.shared / both if both else None


class Rollout:
    """One structure followed through an example; between two drawn slices there, and back again.

    Attributes:
        example: the slices.
        track: where the structure is held to be.
        counts: of the last pass so far.
    """

    def __init__(self, example: Example) -> None:
        self.example = example
        self._said: list[Patch | None] = [None] * len(example.numbers)
        self._ahead: list[int] = []
        self._opposed = False
        self._last = 0
        self._begin(example.walked, opposed=False)

    @property
    def piece(self) -> Piece:
        """The structure as it is looked at: a walk follows it in one view."""
        return self.track.pieces[0]

    @property
    def truth(self) -> FloatArray:
        """What the view shows of the true structure on the slice that the walk comes to: (S, S), 0..1."""
        return self.piece.view.cut(self.example.masks[self._ahead[0]].astype(np.float32), VIEW_PIXELS)

    @property
    def ignored(self) -> FloatArray:
        """Where in the view the labels say nothing: (S, S), 0..1."""
        return self.piece.view.cut(self.example.ignored[self._ahead[0]].astype(np.float32), VIEW_PIXELS)

    def look(self) -> bool:
        """Turn to the structure; where nothing is left of it, go on to what the walk has beside, or finish."""
        while self._ahead and not self.track.look(self._opposite()):
            if self._opposed:
                self._pass()  # the other pass may have it further on
            else:
                self._give_up()
        return bool(self._ahead)

    def step(self) -> Step:
        """What lies before the walk."""
        position = self._ahead[0]
        after = self._ahead[1] if len(self._ahead) > 1 else position
        last, example = self._last, self.example
        there = example.passes[self._opposed]
        held = there.others[last].astype(np.float32)
        if self.track.mask is not None:
            held[self.track.mask.place] += self.track.mask.values
        return Step(
            index=example.numbers[position],
            previous=example.image(last),
            current=example.image(position),
            ahead=example.image(after),
            held=held,
            opposite=self._opposite(),
            opposed=self._opposed,
            anchor=there.anchors[position],
            flow=there.flow(position),
        )

    def nearest(self) -> list[Reference]:
        """The drawn slices to read from on the slice that the walk comes to."""
        return self.track.nearest(self.example.numbers[self._ahead[0]], self.piece)

    def advance(self, probabilities: FloatArray) -> None:
        """Go on from the network's answer (S, S)."""
        position = self._ahead[0]
        height, width = self.example.masks[position].shape
        said = self.track.arrive([probabilities], (height, width))
        self._count(position, said)
        self._said[position] = said
        self.track.mask = said
        self._pass()

    def back(self) -> bool:
        """Begin the pass from the other drawn slice, if there is one and it is still to come."""
        if not self.example.between or self._opposed:
            return False
        self._begin(self.example.walked[::-1], opposed=True)
        return True

    def _begin(self, positions: range, *, opposed: bool) -> None:
        example, first = self.example, positions[0]
        drawn = [first, *range(len(example.walked), len(example.numbers))]
        drawn += [positions[-1]] if example.between else []
        mask = Patch.of(example.masks[first].astype(np.float32))
        self.track = Track(example.numbers[first], mask, most_pieces=1)
        for position in drawn:
            mask = Patch.of(example.masks[position].astype(np.float32))
            self.track.learn(example.numbers[position], example.image(position), mask)
        self._last, self._opposed, self.counts = first, opposed, Counts()
        self._ahead = list(positions[1:-1] if example.between else positions[1:])

    def _give_up(self) -> None:
        """Nothing is left to follow: what comes after is missed."""
        for position in self._ahead:
            self._count(position, None)
        self._ahead = []

    def _count(self, position: int, said: Patch | None) -> None:
        truth, ignored = self.example.masks[position], self.example.ignored[position]
        shared = false = 0
        if said is not None:
            inside = (said.values > 0.5) & ~ignored[said.place]
            shared = int((inside & truth[said.place]).sum())
            false = int(inside.sum()) - shared
        self.counts.shared += shared
        self.counts.false += false
        self.counts.missed += int(truth.sum()) - shared

    def _pass(self) -> None:
        self._last = self._ahead.pop(0)
        self.track.index = self.example.numbers[self._last]

    def _opposite(self) -> Patch | None:
        return self._said[self._ahead[0]] if self._opposed else None


class Rollouts:
    """So many walks at once: those that are finished make room for new ones.

    Args:
        examples: where new walks come from.
        count: how many are under way.
    """

    def __init__(self, examples: Iterable[Example], count: int) -> None:
        self._examples, self._count = examples, count

    def __iter__(self) -> Iterator[Rollouts]:
        """The walks, again and again: a training step moves on those of :meth:`under_way`."""
        self._fresh = iter(self._examples)
        self._walks: list[Rollout] = []
        while True:
            yield self

    @property
    def cases(self) -> list[str]:
        """Of the walks."""
        return [walk.example.case for walk in self._walks]

    def under_way(self) -> list[Rollout]:
        """Walks that have somewhere to go and look there."""
        self._walks = [walk for walk in self._walks if goes_on(walk)]
        while len(self._walks) < self._count:
            new = (Rollout(example) for example in islice(self._fresh, self._count - len(self._walks)))
            self._walks += [walk for walk in new if goes_on(walk)]
        return self._walks


def goes_on(walk: Rollout) -> bool:
    """Turn a walk to what lies before it, back from the other end if need be; False where it is over."""
    return walk.look() or (walk.back() and walk.look())
