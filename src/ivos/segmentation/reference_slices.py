"""Which of the slices that a reference network has segmented are taken as reference slices for propagation.

References:
    IVOS (FLARE22): slices by the area or the number of structures, all that are not empty, at random; the least
    uncertain ones are named there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ivos.segmentation.settings import ReferenceSelection


@dataclass(frozen=True)
class Candidates:
    """Slices that could be reference slices, N of them.

    Attributes:
        numbers: (N,) ascending slice numbers.
        areas: (N, K) pixels of each structure.
        doubt: (N,) how unsure the network was, on average, where it found something: 0..1; 1 where it found nothing.
    """

    numbers: npt.NDArray[np.intp]
    areas: npt.NDArray[np.intp]
    doubt: npt.NDArray[np.float64]

    @property
    def filled(self) -> npt.NDArray[np.intp]:
        """Places in ``numbers`` of the slices on which there is any structure: background is none."""
        return np.flatnonzero(self.areas.any(axis=1))


Choice = Callable[[Candidates], list[int]]
"""Takes some of the candidates; gives their slice numbers, ascending."""


def non_empty(candidates: Candidates) -> list[int]:
    """Every slice with a structure on it."""
    return _chosen(candidates, candidates.filled)


def largest_area(candidates: Candidates, *, at_most: int | None = None) -> list[int]:
    """For each structure the slice that shows most of it.

    Args:
        candidates: to choose from.
        at_most: further slices are taken until there are so many: the next largest of every structure in turn.
    """
    ranking = np.argsort(-candidates.areas, axis=0, kind="stable")  # column k: structure k's slices, largest first
    rounds = [[int(place) for k, place in enumerate(places) if candidates.areas[place, k] > 0] for places in ranking]
    if at_most is None:
        return _chosen(candidates, rounds[0] if rounds else [])
    in_turn = list(dict.fromkeys(place for places in rounds for place in places))
    return _chosen(candidates, in_turn[:at_most])


def most_structures(candidates: Candidates, *, at_most: int) -> list[int]:
    """The slices with the most structures; of equal ones those that show more of them."""
    counts, sizes = (candidates.areas > 0).sum(axis=1), candidates.areas.sum(axis=1)
    ranked = sorted(candidates.filled, key=lambda place: (-counts[place], -sizes[place], place))
    return _chosen(candidates, ranked[:at_most])


def least_uncertain(candidates: Candidates, *, at_most: int) -> list[int]:
    """The surest slice in each of so many equal stretches of the slices that show something.

    The surest of all lie side by side, and say the same thing several times.
    """
    stretches = np.array_split(candidates.filled, min(at_most, max(1, candidates.filled.size)))
    return _chosen(candidates, [places[candidates.doubt[places].argmin()] for places in stretches if places.size])


def spread(candidates: Candidates, *, at_most: int) -> list[int]:
    """Slices evenly over what was found, with the first, the largest and the last slice of each structure.

    Args:
        candidates: to choose from.
        at_most: in all; the slices of structures come first, those of large structures before those of small ones,
            and each next slice is the one farthest from those that were taken.
    """
    by_size = np.argsort(-candidates.areas.sum(axis=0), kind="stable")
    wanted: list[int] = []
    for k in by_size:
        places = np.flatnonzero(candidates.areas[:, k])
        if places.size:
            wanted += [int(candidates.areas[:, k].argmax()), int(places[0]), int(places[-1])]
    taken = list(dict.fromkeys(wanted))[:at_most]
    free = [int(place) for place in candidates.filled if place not in taken]
    while free and len(taken) < at_most:
        farthest = max(free, key=lambda place: min(abs(candidates.numbers[place] - candidates.numbers[taken])))
        taken.append(farthest)
        free.remove(farthest)
    return _chosen(candidates, taken)


def at_random(candidates: Candidates, *, at_most: int, seed: int = 0) -> list[int]:
    """So many slices that show something, drawn at random."""
    rng = np.random.default_rng(seed)
    count = min(at_most, candidates.filled.size)
    return _chosen(candidates, rng.choice(candidates.filled, count, replace=False))


def _chosen(candidates: Candidates, places: npt.ArrayLike) -> list[int]:
    return sorted({int(candidates.numbers[place]) for place in np.asarray(places, np.intp)})


RULES: Mapping[ReferenceSelection, Callable[[int], Choice]] = {
    "non-empty": lambda _: non_empty,
    "largest-area": lambda _: largest_area,
    "most-structures": lambda count: partial(most_structures, at_most=count),
    "least-uncertain": lambda count: partial(least_uncertain, at_most=count),
    "spread": lambda count: partial(spread, at_most=count),
    "random": lambda count: partial(at_random, at_most=count),
}
"""By name; each is made for a number of slices, which the first two do without."""
