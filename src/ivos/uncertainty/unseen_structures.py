"""How many structures lie where no drawn slice shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from ivos.types import BoolArray

# What has been missed is shorter than what has been seen: a tenth of the scan, and one for every four that were seen.
# Chosen on 24 synthetic abdomens by how soon all organs are found; other figures do nearly as well.
_SHORT, _SHORT_ONES = 0.1, 0.25
_ANYWHERE = 5.0  # structures that are taken to lie on every slice, beside those that do


def expected_unseen_structures(present: BoolArray, drawn: BoolArray) -> npt.NDArray[np.float64]:
    """How many structures each slice is expected to show that no drawn slice does.

    For each structure that was seen there is taken to be another one as long, and for some a short one: anywhere, but
    rather where there are many structures. Those that a drawn slice would have shown are not there.

    Args:
        present: (N, K) on which slices the structures are that drawn slices show.
        drawn: (N,) the slices on which everything that is present is drawn.

    Returns:
        (N,) expected numbers; 0 on a drawn slice.
    """
    found = np.zeros(len(drawn))
    crowded = present.sum(axis=1) + _ANYWHERE
    short = max(1, round(_SHORT * len(drawn)))
    lengths = _lengths(present)
    for length, ones in [*((length, 1.0) for length in lengths), (short, _SHORT_ONES * len(lengths))]:
        likely = _windows(crowded, length).mean(axis=1)  # that a structure of that length begins on a slice
        missed = ~_windows(drawn, length).any(axis=1)
        found += ones * np.convolve(likely * missed, np.ones(length)) / likely.sum()
    return found


def _lengths(present: BoolArray) -> list[int]:
    """Of each structure from its first to its last slice."""
    numbers = [np.flatnonzero(there) for there in present.T]
    return [int(there[-1] - there[0]) + 1 for there in numbers if there.size]


def _windows(values: npt.NDArray[np.generic], length: int) -> npt.NDArray[np.generic]:
    return np.lib.stride_tricks.sliding_window_view(values, length)
