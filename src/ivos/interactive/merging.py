"""New labels over old ones on a slice: which of them give way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ivos.types import BoolArray, LabelArray


def merge_annotation(labels: LabelArray, structure: int, mask: BoolArray, committed: Iterable[int]) -> LabelArray:
    """A slice once a structure is drawn on it: it is where the mask is, and nowhere else.

    It takes voxels from every other structure but from committed ones.

    Args:
        labels: label ids (H, W).
        structure: label id; not a committed one.
        mask: (H, W) where it is said to be.
        committed: ids of structures that nothing changes.
    """
    drawn = np.where(labels == structure, np.uint8(0), labels)
    drawn[mask & ~_any_of(labels, committed)] = structure
    return drawn


def merge_prediction(
    labels: LabelArray,
    guess: LabelArray,
    chosen: Iterable[int],
    settled: Mapping[int, BoolArray],
    committed: Iterable[int],
) -> tuple[LabelArray, BoolArray]:
    """A slice once some structures are guessed on it anew: propagated, or taken from another segmentation.

    Voxels of committed structures stay, and those of any structure where it is settled that they are its; where it is
    settled that a structure is not, it does not come. Every other voxel takes the guess; where that says that it is
    none of the chosen structures, voxels of the others stay too.

    Args:
        labels: label ids (H, W).
        guess: ids of chosen structures (H, W), or 0.
        chosen: ids of the structures that the guess speaks of; no committed ones.
        settled: by label id, where on the slice a person has said whether the structure is there (H, W); of all
            structures, chosen or not.
        committed: ids of structures that nothing changes.

    Returns:
        The labels, and the voxels (H, W) that go by the guess.
    """
    kept = _any_of(labels, committed)
    guess = guess.copy()
    for structure, there in settled.items():
        kept |= there & (labels == structure)
        guess[there & (guess == structure)] = 0
    taken = ~kept & ((guess > 0) | _any_of(labels, [0, *chosen]))
    return np.where(taken, guess, labels), taken


def _any_of(labels: LabelArray, ids: Iterable[int]) -> BoolArray:
    """Where labels are among these, by a table: a slice is looked at often."""
    table = np.zeros(256, bool)
    table[list(ids)] = True
    found: BoolArray = table[labels]
    return found
