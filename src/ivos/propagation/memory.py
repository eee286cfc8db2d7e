"""What an engine remembers of the slices that it has seen, within a stated number of bytes.

References:
    Cheng, Tai, Tang: Rethinking Space-Time Networks with Improved Memory Coverage for Efficient Video Object
    Segmentation, NeurIPS 2021 (the similarity).
    Cheng, Tai, Tang: Modular Interactive Video Object Segmentation, CVPR 2021 (the top-k readout).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from ivos.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

_MOST_SLICES = 512  # more than this would slow reading down and add nothing


class Keep(Enum):
    """How long a slice stays in memory."""

    ALWAYS = "annotated: never evicted"
    WHILE_ROOM = "predicted: the oldest goes first"
    UNTIL_NEXT = "the last slice: gone when the next one comes"


@dataclass(frozen=True)
class _Entry:
    index: int
    keep: Keep
    known: Tensor  # (K,) bool: the structures that the slice says something of


class Memory:
    """Keys and values of slices, all of one size, in buffers that are filled and refilled in place.

    Args:
        budget_bytes: what keys and values may take together.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._entries: list[_Entry | None] = []  # by slot, None where one is free
        self._order: list[int] = []  # slots by age, oldest first
        self._keys = torch.empty(0)
        self._squares = torch.empty(0)  # of the keys' lengths; summed as published, since the choice of the top k jumps
        self._values = torch.empty(0)

    @property
    def indices(self) -> list[int]:
        """The numbers of the slices in memory, oldest first."""
        return [entry.index for slot in self._order if (entry := self._entries[slot]) is not None]

    @property
    def used_bytes(self) -> int:
        """What the remembered slices take."""
        return len(self._order) * self._slice_bytes

    def add(self, index: int, key: Tensor, value: Tensor, known: Tensor, keep: Keep) -> None:
        """Remember a slice; a slice of the same number, and one kept only until the next, give way.

        Args:
            index: the slice's number.
            key: (C, P) a key for each of its P positions.
            value: (K, V, P) a value for each structure at each position.
            known: (K,) bool, the structures that the values speak of.
            keep: how long it stays.

        Raises:
            InputError: the budget does not hold the annotated slices.
        """
        if not self._entries:
            self._allocate(key, value)
        for slot in list(self._order):
            entry = self._entries[slot]
            if entry is not None and (entry.index == index or entry.keep is Keep.UNTIL_NEXT):
                self._forget(slot)
        free = self._room(keep)
        if free is None:
            return
        positions = key.shape[1]
        place = slice(free * positions, (free + 1) * positions)
        self._keys[place] = key.T
        self._squares[place] = key.square().sum(0)
        self._values[:, place] = value.transpose(1, 2)
        self._entries[free] = _Entry(index, keep, known.to(key.device))
        self._order.append(free)

    def read(self, query: Tensor, top_k: int) -> Tensor:
        """What the memory holds at the places that look like the query's.

        Similarity is the negative squared distance of keys; the ``top_k`` most similar positions are weighed by its
        softmax. All structures share it, as far as the same slices speak of them.

        Args:
            query: (C, M) keys.
            top_k: how many positions to read from.

        Returns:
            (K, V, M); zero for a structure that no slice in memory speaks of.
        """
        positions = len(self._keys) // len(self._entries)
        used = 1 + max(self._order)
        keys = self._keys[: used * positions]
        similarity = (2 * (query.T @ keys.T) - self._squares[: used * positions]) / math.sqrt(
            len(query)
        )  # (M, used * P)
        known = self._known(used)  # (used, K)
        readout = [self._values.new_zeros(1, 1).expand(query.shape[1], self._values.shape[2])] * len(self._values)
        for pattern, structures in _groups(known):
            usable = pattern.repeat_interleave(positions)
            allowed = similarity if bool(usable.all()) else similarity.masked_fill(~usable, -torch.inf)
            best, where = allowed.topk(min(top_k, int(usable.sum())), dim=1)
            weights = best.softmax(1).to(self._values.dtype)
            for structure in structures:
                table = self._values[structure, : used * positions]
                readout[structure] = F.embedding_bag(where, table, per_sample_weights=weights, mode="sum")
        return torch.stack(readout).transpose(1, 2)  # from (K, M, V)

    def _allocate(self, key: Tensor, value: Tensor) -> None:
        (channels, positions), (structures, width, _) = key.shape, value.shape
        self._slice_bytes = positions * (channels * key.element_size() + structures * width * value.element_size())
        slots = min(self._budget_bytes // self._slice_bytes, _MOST_SLICES)
        if slots < 1:
            self._refuse(1)
        self._entries = [None] * slots
        self._keys = key.new_empty(slots * positions, channels)
        self._squares = key.new_empty(slots * positions)
        self._values = value.new_empty(structures, slots * positions, width)

    def _room(self, keep: Keep) -> int | None:
        """A free slot, made by forgetting the oldest predicted slice if need be; None where there is none to forget."""
        if None not in self._entries:
            old = [slot for slot in self._order if self._keep(slot) is not Keep.ALWAYS]
            if not old and keep is Keep.ALWAYS:
                self._refuse(len(self._entries) + 1)
            if not old:
                return None
            self._forget(old[0])
        return self._entries.index(None)

    def _forget(self, slot: int) -> None:
        self._entries[slot] = None
        self._order.remove(slot)

    def _keep(self, slot: int) -> Keep | None:
        entry = self._entries[slot]
        return entry.keep if entry is not None else None

    def _known(self, used: int) -> Tensor:
        nothing = torch.zeros(len(self._values), dtype=torch.bool, device=self._keys.device)
        return torch.stack([entry.known if entry else nothing for entry in self._entries[:used]])

    def _refuse(self, slices: int) -> None:
        need, budget = slices * self._slice_bytes / 1e6, self._budget_bytes / 1e6
        raise InputError(
            f"the memory budget of {budget:.0f} MB does not hold {slices} annotated slices, which need {need:.0f} MB; "
            "raise --memory-budget"
        )


def _groups(known: Tensor) -> list[tuple[Tensor, list[int]]]:
    """Structures of which the same slices speak, with those slices: (used,) bool; none for structures without any."""
    patterns, members = torch.unique(known.T, dim=0, return_inverse=True)
    pairs = [(pattern, torch.nonzero(members == n).flatten().tolist()) for n, pattern in enumerate(patterns)]
    return [(pattern, structures) for pattern, structures in pairs if bool(pattern.any())]
