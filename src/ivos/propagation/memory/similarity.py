"""How alike a memory's keys and a slice's are: by plain distance, or by one that each side shapes.

Legend: C key channels, N positions in memory, M positions that ask.

References:
    Cheng, Tai, Tang: Rethinking Space-Time Networks with Improved Memory Coverage for Efficient Video Object
    Segmentation, NeurIPS 2021 (the plain distance).
    Cheng, Schwing: XMem: Long-Term Video Object Segmentation with an Atkinson-Shiffrin Memory Model, ECCV 2022 (the
    anisotropic one).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Keys:
    """What a memory holds of N positions to be compared with.

    Attributes:
        keys: (N, C).
        squares: (N,) of the keys' lengths.
        shrinkage: (N,) how fast likeness falls off around each position; None where it does so alike around all.
    """

    keys: Tensor
    squares: Tensor
    shrinkage: Tensor | None


@dataclass(frozen=True)
class Query:
    """What asks, at M positions.

    Attributes:
        key: (C, M).
        selection: (C, M) how much each channel counts at each position; None where all count alike.
    """

    key: Tensor
    selection: Tensor | None = None


def similarity(query: Query, memory: Keys) -> Tensor:
    """Negative squared distances over the root of C, up to what is the same for all of a query's row: (M, N).

    With selection e and shrinkage s, the distance is s times the sum over channels of e (k - q) squared. Both at one
    give the plain distance.
    """
    key, scale = query.key, math.sqrt(len(query.key))
    if query.selection is not None:
        weighed = query.selection * key
        twice = 2 * (weighed.T @ memory.keys.T)
        plain = twice - query.selection.T @ memory.keys.square().T
    else:
        weighed = key
        plain = 2 * (key.T @ memory.keys.T) - memory.squares
    if memory.shrinkage is None:
        return plain / scale
    return (plain - (weighed * key).sum(0)[:, None]) * memory.shrinkage / scale  # now the row's own part counts
