"""What an engine remembers of the slices that it has seen, within a stated number of bytes.

References:
    Cheng, Tai, Tang: Rethinking Space-Time Networks with Improved Memory Coverage for Efficient Video Object
    Segmentation, NeurIPS 2021 (the similarity).
    Cheng, Tai, Tang: Modular Interactive Video Object Segmentation, CVPR 2021 (the top-k readout).
    Cheng, Schwing: XMem: Long-Term Video Object Segmentation with an Atkinson-Shiffrin Memory Model, ECCV 2022 (the
    long-term memory).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from ivos.errors import InputError
from ivos.propagation.memory.buffers import Buffers, Encoded
from ivos.propagation.memory.long_term import consolidated, groups, survivors
from ivos.propagation.memory.similarity import Query, similarity

if TYPE_CHECKING:
    from torch import Tensor

    from ivos.propagation.memory.long_term import LongTermSizes

_MOST_SLICES = 512  # more than this would slow reading down and add nothing


class Keep(Enum):
    """How long a slice stays in memory."""

    ALWAYS = "annotated: never evicted"
    WHILE_ROOM = "predicted: the oldest goes first, into long-term memory if there is one"
    UNTIL_NEXT = "the last slice: gone when the next one comes"


@dataclass(frozen=True)
class _Entry:
    index: int
    keep: Keep
    known: Tensor  # (K,) bool: the structures that the slice says something of


class Memory:
    """Keys and values of slices, all of one size, and of prototypes of slices that had to go.

    Slices fill their buffers from the front, prototypes from the back.

    Args:
        budget_bytes: what keys and values may take together.
        long_term: sizes of a long-term memory for predicted slices, smaller where the budget says so; without it they
            are forgotten when there is no more room.
    """

    def __init__(self, budget_bytes: int, long_term: LongTermSizes | None = None) -> None:
        self._budget_bytes = budget_bytes
        self._wanted = self._sizes = long_term
        self._entries: list[_Entry | None] = []  # by slot, None where one is free
        self._order: list[int] = []  # slots by age, oldest first
        self._most_annotated = 0
        self._position_bytes = 0

    @property
    def indices(self) -> list[int]:
        """The numbers of the slices in memory, oldest first."""
        return [entry.index for slot in self._order if (entry := self._entries[slot]) is not None]

    @property
    def prototypes(self) -> int:
        """How many positions long-term memory holds."""
        return len(self._prototypes_known) if self._entries else 0

    @property
    def used_bytes(self) -> int:
        """What the remembered slices and prototypes take."""
        return (len(self._order) * self._positions + self.prototypes) * self._position_bytes if self._entries else 0

    def add(self, index: int, encoded: Encoded, known: Tensor, keep: Keep) -> None:
        """Remember a slice; a slice of the same number, and one kept only until the next, give way.

        Args:
            index: the slice's number.
            encoded: its keys and values.
            known: (K,) bool, the structures that the values speak of.
            keep: how long it stays.

        Raises:
            InputError: the budget does not hold the annotated slices.
        """
        if not self._entries:
            self._allocate(encoded)
        for slot in list(self._order):
            entry = self._entries[slot]
            if entry is not None and (entry.index == index or entry.keep is Keep.UNTIL_NEXT):
                self._forget(slot)
        if keep is Keep.ALWAYS:
            self._make_way(1 + sum(self._keep(slot) is Keep.ALWAYS for slot in self._order))
        free = self._room(keep)
        if free is None:
            return
        self._buffers.write(self._place(free), encoded)
        self._entries[free] = _Entry(index, keep, known.to(encoded.key.device))
        self._order.append(free)
        if keep is Keep.WHILE_ROOM:
            self._consolidate()

    def read(self, query: Query, top_k: int) -> Tensor:
        """What the memory holds at the places that look like the query's.

        The ``top_k`` most similar positions are weighed by the softmax of their similarity. All structures share it, as
        far as the same slices speak of them.

        Args:
            query: keys at M positions.
            top_k: how many positions to read from.

        Returns:
            (K, V, M); zero for a structure that no slice in memory speaks of.
        """
        used = 1 + max(self._order)
        near, far = used * self._positions, self._buffers.rows - self.prototypes  # rows between them are free
        places = [slice(0, near), *([slice(far, None)] if self.prototypes else [])]
        alike = similarity(query, self._buffers.keys(places))  # (M, near + prototypes)
        if self._buffers.usage is not None:
            self._buffers.usage.age(*places)
        values = self._buffers.values
        readout = [values.new_zeros(1, 1).expand(len(alike), values.shape[2])] * len(values)
        for pattern, structures in groups(self._known(used)):
            usable = torch.cat([pattern[:used].repeat_interleave(self._positions), pattern[used:]])
            allowed = alike if bool(usable.all()) else alike.masked_fill(~usable, -torch.inf)
            best, where = allowed.topk(min(top_k, int(usable.sum())), dim=1)
            rows = torch.where(where < near, where, where + (far - near))
            weights = best.softmax(1)
            if self._buffers.usage is not None:
                self._buffers.usage.count(rows, weights * (len(structures) / len(values)))
            for structure in structures:
                per_sample = weights.to(values.dtype)
                readout[structure] = F.embedding_bag(rows, values[structure], per_sample_weights=per_sample, mode="sum")
        return torch.stack(readout).transpose(1, 2)  # from (K, M, V)

    def value(self, index: int) -> Tensor | None:
        """The values (K, V, P) of a slice, None where it is not in memory."""
        for slot in self._order:
            entry = self._entries[slot]
            if entry is not None and entry.index == index:
                return self._buffers.values[:, self._place(slot)].transpose(1, 2)
        return None

    def _allocate(self, encoded: Encoded) -> None:
        self._positions, self._position_bytes = encoded.key.shape[1], encoded.position_bytes
        slots = min(self._budget_bytes // (self._positions * self._position_bytes), _MOST_SLICES)
        if slots < 1:
            self._refuse(1)
        self._entries = [None] * slots
        self._buffers = Buffers(slots * self._positions, encoded, counted=self._wanted is not None)
        self._prototypes_known = torch.empty(0, len(encoded.value), dtype=torch.bool, device=encoded.key.device)
        self._make_way(0)

    def _make_way(self, annotated: int) -> None:
        """Long-term memory takes no more than annotated slices leave it."""
        self._most_annotated = max(self._most_annotated, annotated)
        if self._wanted is not None:
            self._sizes = self._wanted.within(len(self._entries) - self._most_annotated, self._positions)
            self._thin_out(self._sizes.elements if self._sizes is not None else 0)

    def _room(self, keep: Keep) -> int | None:
        """A free slot, made by forgetting the oldest predicted slice if need be; None where there is none to forget."""
        long_term = 0 if self._sizes is None else -(-self._sizes.elements // self._positions)
        slots = self._entries[: len(self._entries) - long_term]
        if None not in slots:
            old = [slot for slot in self._order if self._keep(slot) is not Keep.ALWAYS]
            if not old and keep is Keep.ALWAYS:
                self._refuse(len(self._entries) + 1)
            if not old:
                return None
            self._forget(old[0])
        return self._entries.index(None)

    def _consolidate(self) -> None:
        """When working memory is full, replace its oldest predicted slices by prototypes of them."""
        predicted = [slot for slot in self._order if self._keep(slot) is Keep.WHILE_ROOM]
        if self._sizes is None or len(predicted) < self._sizes.working:
            return
        old = predicted[: len(predicted) - self._sizes.kept]
        entries = [entry for slot in old if (entry := self._entries[slot]) is not None]
        known = torch.stack([entry.known for entry in entries])
        rows = torch.arange(self._buffers.rows, device=known.device)
        where = torch.cat([rows[self._place(slot)] for slot in old])
        candidates = self._buffers.candidates(where, known.repeat_interleave(self._positions, 0))
        made = consolidated(candidates, self._sizes.prototypes)
        for slot in old:
            self._forget(slot)
        self._thin_out(self._sizes.elements - self._sizes.prototypes)
        after = self._buffers.rows - self.prototypes
        self._buffers.write_prototypes(slice(after - len(made.known), after), made)
        self._prototypes_known = torch.cat([made.known, self._prototypes_known])

    def _thin_out(self, most: int) -> None:
        """Remove the prototypes that are used least, until there are no more than so many."""
        usage, rows = self._buffers.usage, self._buffers.rows
        if usage is None or self.prototypes <= most:
            return
        first = rows - self.prototypes
        staying = survivors(usage.of(slice(first, None)), most)
        self._buffers.move(first + staying, slice(rows - len(staying), rows))
        self._prototypes_known = self._prototypes_known[staying]

    def _place(self, slot: int) -> slice:
        return slice(slot * self._positions, (slot + 1) * self._positions)

    def _forget(self, slot: int) -> None:
        self._entries[slot] = None
        self._order.remove(slot)

    def _keep(self, slot: int) -> Keep | None:
        entry = self._entries[slot]
        return entry.keep if entry is not None else None

    def _known(self, used: int) -> Tensor:
        """The structures that slots and prototypes speak of: (used + prototypes, K)."""
        nothing = torch.zeros_like(self._prototypes_known[:1].any(0))
        slots = torch.stack([entry.known if entry else nothing for entry in self._entries[:used]])
        return torch.cat([slots, self._prototypes_known])

    def _refuse(self, slices: int) -> None:
        need, budget = slices * self._positions * self._position_bytes / 1e6, self._budget_bytes / 1e6
        raise InputError(
            f"the memory budget of {budget:.0f} MB does not hold {slices} annotated slices, which need {need:.0f} MB; "
            "raise --memory-budget"
        )
