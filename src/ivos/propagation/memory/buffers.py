"""Where a memory's keys and values lie: one row a position, in buffers that are filled and refilled in place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ivos.propagation.memory.long_term import Candidates, Usage
from ivos.propagation.memory.similarity import Keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ivos.propagation.memory.long_term import Prototypes


@dataclass(frozen=True)
class Encoded:
    """What is to be remembered of a slice with P positions.

    Attributes:
        key: (C, P).
        value: (K, V, P) of each structure.
        shrinkage: (P,), see :class:`ivos.propagation.memory.similarity.Keys`.
        selection: (C, P), see :class:`ivos.propagation.memory.similarity.Query`; only long-term memory uses it.
    """

    key: Tensor
    value: Tensor
    shrinkage: Tensor | None = None
    selection: Tensor | None = None

    @property
    def position_bytes(self) -> int:
        """What one position takes."""
        parts = (part for part in (self.key, self.value, self.shrinkage, self.selection) if part is not None)
        return sum(part.numel() // part.shape[-1] * part.element_size() for part in parts)


class Buffers:
    """Rows for keys and values, and how often they were read from.

    Args:
        rows: how many positions there is room for.
        like: the kind of slice that will be remembered.
        counted: whether it is counted how often rows are read from.
    """

    def __init__(self, rows: int, like: Encoded, *, counted: bool) -> None:
        self.rows = rows
        structures, width, _ = like.value.shape
        self._keys = like.key.new_empty(rows, len(like.key))
        self._squares = like.key.new_empty(rows)  # summed as published, since the choice of the top k jumps
        self._shrinkage = None if like.shrinkage is None else like.key.new_empty(rows)
        self._selection = None if like.selection is None else like.key.new_empty(rows, len(like.key))
        self.values = like.value.new_empty(structures, rows, width)
        self.usage = Usage(rows, like.key.device) if counted else None

    def write(self, place: slice, encoded: Encoded) -> None:
        """A slice into the rows of a place."""
        self._put(place, encoded.key.T, encoded.key.square().sum(0), encoded.shrinkage)
        self.values[:, place] = encoded.value.transpose(1, 2)
        if self._selection is not None and encoded.selection is not None:
            self._selection[place] = encoded.selection.T
        if self.usage is not None:
            self.usage.begin(place)

    def write_prototypes(self, place: slice, prototypes: Prototypes) -> None:
        """Prototypes into the rows of a place."""
        self._put(place, prototypes.keys, prototypes.keys.square().sum(1), prototypes.shrinkage)
        self.values[:, place] = prototypes.values
        if self.usage is not None:
            self.usage.begin(place)

    def move(self, before: Tensor, after: slice) -> None:
        """What is in some rows, to others; a structure at a time, since a copy of all their values may be large."""
        shrinkage = None if self._shrinkage is None else self._shrinkage[before]
        self._put(after, self._keys[before], self._squares[before], shrinkage)
        for values in self.values:
            values[after] = values[before]
        if self.usage is not None:
            self.usage.move(before, after)

    def keys(self, places: Sequence[slice | Tensor]) -> Keys:
        """The keys of some rows."""
        shrinkage = None if self._shrinkage is None else _joined(self._shrinkage, places)
        return Keys(_joined(self._keys, places), _joined(self._squares, places), shrinkage)

    def candidates(self, where: Tensor, known: Tensor) -> Candidates:
        """What may be consolidated: some rows, and the structures that they speak of (N, K).

        Raises:
            RuntimeError: usage is not counted.
        """
        if self.usage is None:
            raise RuntimeError("consolidation without a count of usage")
        selection = None if self._selection is None else self._selection[where].T
        return Candidates(self.keys([where]), selection, self.usage.of(where), known, self.values, where)

    def _put(self, place: slice, keys: Tensor, squares: Tensor, shrinkage: Tensor | None) -> None:
        self._keys[place], self._squares[place] = keys, squares
        if self._shrinkage is not None and shrinkage is not None:
            self._shrinkage[place] = shrinkage


def _joined(buffer: Tensor, places: Sequence[slice | Tensor]) -> Tensor:
    parts = [buffer[place] for place in places]
    return parts[0] if len(parts) == 1 else torch.cat(parts)
