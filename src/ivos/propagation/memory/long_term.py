"""What becomes of predicted slices that a memory has no room for: a few prototypes of them, as long as they are used.

References:
    Cheng, Schwing: XMem: Long-Term Video Object Segmentation with an Atkinson-Shiffrin Memory Model, ECCV 2022
    (section 3.3: consolidation, potentiation, removal by usage).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ivos.propagation.memory.similarity import Keys, Query, similarity

if TYPE_CHECKING:
    from torch import Tensor

_NEVER = 1e-7  # the life of what has not been read from yet, as published


@dataclass(frozen=True)
class LongTermSizes:
    """How much is remembered beside the annotated slices, at most: a budget in bytes may allow for less.

    The defaults are the published ones, which count the first slice of a video among the working memory's.

    Attributes:
        working: predicted slices in working memory; when the last of them comes, the oldest are consolidated.
        kept: predicted slices that stay in working memory then.
        prototypes: positions that are kept of those that go.
        elements: positions in long-term memory.
    """

    working: int = 9
    kept: int = 4
    prototypes: int = 128
    elements: int = 10_000

    def within(self, slices: int, positions: int) -> LongTermSizes | None:
        """As much of it as fits, half of the room at most for long-term memory; None where there is no sense in it.

        Args:
            slices: so many find room beside the annotated ones, one of which the last slice may take.
            positions: of a slice.
        """
        long = min(-(-self.elements // positions), slices // 2)
        working = min(self.working, slices - long - 1)
        if working < 2:
            return None
        kept = max(1, self.kept * working // self.working)
        elements = min(self.elements, long * positions)
        return LongTermSizes(working, kept, min(self.prototypes, (working - kept) * positions, elements), elements)


PUBLISHED_SIZES = LongTermSizes()


class Usage:
    """How often each of N positions was read from, in the time that it has been there.

    Args:
        positions: N.
        device: where the memory is.
    """

    def __init__(self, positions: int, device: torch.device) -> None:
        self._used = torch.zeros(positions, device=device)
        self._life = torch.full((positions,), _NEVER, device=device)

    def begin(self, place: slice) -> None:
        """Something new is in these places."""
        self._used[place], self._life[place] = 0.0, _NEVER

    def move(self, before: Tensor, after: slice) -> None:
        """What was at some positions is now in these places."""
        self._used[after], self._life[after] = self._used[before], self._life[before]

    def count(self, where: Tensor, weights: Tensor) -> None:
        """Positions (any shape) were read from with weights of that shape."""
        self._used.index_add_(0, where.flatten(), weights.flatten().float())

    def age(self, *places: slice) -> None:
        """What is in these places could have been read from once more."""
        for place in places:
            self._life[place] += 1

    def of(self, place: Tensor | slice) -> Tensor:
        """Weight read from each position, per slice that asked."""
        return self._used[place] / self._life[place]


@dataclass(frozen=True)
class Candidates:
    """The N positions of the slices that leave working memory.

    Attributes:
        keys: of them.
        selection: (C, N), None for the plain distance.
        usage: (N,).
        known: (N, K) bool, the structures that each position's slice speaks of.
        values: (K, all positions, V) of the whole memory, which would be large to copy.
        where: (N,) their positions in it.
    """

    keys: Keys
    selection: Tensor | None
    usage: Tensor
    known: Tensor
    values: Tensor
    where: Tensor


@dataclass(frozen=True)
class Prototypes:
    """What is kept of them, at P positions: keys (P, C), shrinkage (P,), values (K, P, V) and known (P, K)."""

    keys: Tensor
    shrinkage: Tensor | None
    values: Tensor
    known: Tensor


def consolidated(candidates: Candidates, count: int) -> Prototypes:
    """The most used positions, each with the values of all that look like it.

    A structure's values come from the positions that speak of it; where a prototype's own does not, neither does it.
    """
    keys, known = candidates.keys, candidates.known
    chosen = candidates.usage.topk(count).indices
    selection = None if candidates.selection is None else candidates.selection[:, chosen]
    alike = similarity(Query(keys.keys[chosen].T, selection), keys)  # (P, N)
    values = candidates.values.new_zeros(len(candidates.values), count, candidates.values.shape[2])
    for pattern, structures in groups(known):
        affinity = alike.masked_fill(~pattern, -torch.inf).softmax(1).to(values.dtype)
        affinity = affinity * pattern[chosen, None]
        for structure in structures:
            values[structure] = affinity @ candidates.values[structure, candidates.where]
    shrinkage = None if keys.shrinkage is None else alike.softmax(1) @ keys.shrinkage
    return Prototypes(keys.keys[chosen], shrinkage, values, known[chosen])


def survivors(usage: Tensor, most: int) -> Tensor:
    """Which of N positions stay where there is room for fewer: their numbers, those used least left out.

    Positions used as little as the last one that has to go, go with it, as published.
    """
    threshold = usage.topk(len(usage) - most, largest=False).values.amax()
    return torch.nonzero(usage > threshold).flatten()


def groups(known: Tensor) -> list[tuple[Tensor, list[int]]]:
    """Structures of which the same positions speak, with those positions; none for structures without any.

    Args:
        known: (N, K) bool.

    Returns:
        For each group (N,) bool and the numbers of its structures.
    """
    patterns, members = torch.unique(known.T, dim=0, return_inverse=True)
    pairs = [(pattern, torch.nonzero(members == n).flatten().tolist()) for n, pattern in enumerate(patterns)]
    return [(pattern, structures) for pattern, structures in pairs if bool(pattern.any())]
