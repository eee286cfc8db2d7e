"""Two passes into one answer, and an answer into labels."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ivos.propagation.masks import Masks
from ivos.propagation.patch import Patch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivos.types import FloatArray

_LEAST_WEIGHT = 0.05  # what a pass still weighs where it is wholly undecided
_LIKELY = 0.5


Fusion = Callable[[Masks, Masks, "FloatArray", "FloatArray"], Masks]
"""Two passes' probabilities of K structures, and the slices (K,) to where each comes from, into one: see :func:`fuse`.

A distance is infinite where there is no annotation on that side; the pass from there does not count then.
"""


def fuse(forward: Masks, backward: Masks, before: FloatArray, after: FloatArray) -> Masks:
    """Two passes' probabilities into one, each weighted by how near its annotation is and how decided it is.

    Args:
        forward: K structures by the pass that came up from the annotated slice before this one.
        backward: by the pass that came down from the annotated slice after it.
        before: (K,) slices since that annotation; infinite where there is none, and the pass does not count.
        after: (K,) slices to that one.

    Returns:
        Nothing of a structure for which neither pass counts.
    """

    def weighted(one: FloatArray, other: FloatArray, before: float, after: float) -> FloatArray:
        near, far = (
            (np.abs(2 * mask - 1) + _LEAST_WEIGHT) / max(distance, 0.5)
            for mask, distance in ((one, before), (other, after))
        )
        return np.asarray((near * one + far * other) / (near + far), np.float32)

    return _merged(forward, backward, before, after, weighted).limited()


def fuse_by_sum(forward: Masks, backward: Masks, before: FloatArray, after: FloatArray) -> Masks:
    """The sum of both passes' probabilities, halved: see :func:`fuse`.

    References:
        IVOS (FLARE22), whose sums are not normalised; the likeliest class is the same.
    """
    return _merged(forward, backward, before, after, lambda one, other, *_: (one + other) / 2).limited()


def fuse_smallest_first(forward: Masks, backward: Masks, before: FloatArray, after: FloatArray) -> Masks:
    """What either pass thinks likely; of several structures there the smallest on this slice: see :func:`fuse`."""
    claims = _merged(forward, backward, before, after, lambda one, other, *_: np.maximum(one, other))
    taken = np.zeros(claims.shape, bool)
    patches = list(claims.patches)
    smallest_first = sorted((p.area, k) for k, p in enumerate(patches) if p is not None)
    for _, k in smallest_first:
        patch = patches[k]
        assert patch is not None  # noqa: S101 - those that are None were left out
        free = np.where(taken[patch.place], np.float32(0), patch.values)
        taken[patch.place] |= free >= _LIKELY
        patches[k] = Patch(patch.top, patch.left, free)
    return Masks(claims.shape, tuple(patches)).limited()


def _merged(
    forward: Masks,
    backward: Masks,
    before: FloatArray,
    after: FloatArray,
    rule: Callable[[FloatArray, FloatArray, float, float], FloatArray],
) -> Masks:
    """Each structure by the one pass that counts, or by a rule for the probabilities (h, w) of both."""
    pairs = zip(forward.patches, backward.patches, before.tolist(), after.tolist(), strict=True)
    return Masks(forward.shape, tuple(_merged_patch(*pair, rule) for pair in pairs))


def _merged_patch(
    forward: Patch | None,
    backward: Patch | None,
    before: float,
    after: float,
    rule: Callable[[FloatArray, FloatArray, float, float], FloatArray],
) -> Patch | None:
    if np.isinf(before) or np.isinf(after):
        return backward if np.isfinite(after) else forward if np.isfinite(before) else None
    corner, parts = aligned((forward, backward))
    if corner is None:
        return None
    one, other = parts
    return Patch(*corner, rule(one, other, before, after))


def aligned(patches: Sequence[Patch | None]) -> tuple[tuple[int, int] | None, list[FloatArray]]:
    """Masks of one structure in the one rectangle that holds them all.

    Returns:
        Its first row and column, and the probabilities (h, w) of each; None and nothing where all are None.
    """
    parts = [patch for patch in patches if patch is not None]
    if not parts:
        return None, []
    top, left = min(p.top for p in parts), min(p.left for p in parts)
    shape = (max(p.place[0].stop for p in parts) - top, max(p.place[1].stop for p in parts) - left)
    moved = [p and Patch(p.top - top, p.left - left, p.values) for p in patches]
    return (top, left), [np.zeros(shape, np.float32) if p is None else p.dense(shape) for p in moved]


def decide(masks: Masks, temperature: float = 1.0) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.uint8]]:
    """The likeliest class of every pixel (H, W) and its probability.

    Args:
        masks: of K structures.
        temperature: what the logit of that probability is divided by.

    Returns:
        0 for background and k for structure k of 1..K; the probability as 0..255.
    """
    confidence = 1.0 - masks.total()
    classes = np.zeros(masks.shape, np.intp)
    for number, patch in enumerate(masks.patches, start=1):
        if patch is not None:
            likelier = patch.values > confidence[patch.place]
            confidence[patch.place][likelier] = patch.values[likelier]
            classes[patch.place][likelier] = number
    levels = np.rint(np.clip(confidence, 0.0, 1.0) * 255).astype(np.uint8)
    return classes, levels if temperature == 1 else _tempered(temperature)[levels]


@cache
def _tempered(temperature: float) -> npt.NDArray[np.uint8]:
    """For a probability of n / 255 what becomes of it."""
    likely = (np.arange(256) / 255) ** (1 / temperature)
    return np.asarray(np.rint(255 * likely / (likely + likely[::-1])), np.uint8)


@dataclass(frozen=True)
class _Packed:
    top: int
    left: int
    shape: tuple[int, int]
    data: bytes


@dataclass(frozen=True)
class PackedMasks:
    """The structures of one slice in little memory: eight bits, where they are only, deflated.

    A pass has to be kept until the other one meets it; kept whole as floats, a long scan would not fit in memory.
    """

    shape: tuple[int, int]
    patches: tuple[_Packed | None, ...]

    @staticmethod
    def pack(masks: Masks) -> PackedMasks:
        """Keep probabilities to the nearest 1/255."""
        return PackedMasks(masks.shape, tuple(None if p is None else _packed(p) for p in masks.patches))

    def unpack(self) -> Masks:
        """The structures again."""
        return Masks(self.shape, tuple(None if p is None else _unpacked(p) for p in self.patches))


def _packed(patch: Patch) -> _Packed | None:
    levels = np.rint(patch.values * 255).astype(np.uint8)
    filled = Patch.of(levels)
    if filled is None:
        return None
    height, width = filled.values.shape
    data = zlib.compress(filled.values.astype(np.uint8).tobytes(), level=1)
    return _Packed(patch.top + filled.top, patch.left + filled.left, (height, width), data)


def _unpacked(packed: _Packed) -> Patch:
    levels = np.frombuffer(zlib.decompress(packed.data), np.uint8).reshape(packed.shape)
    return Patch(packed.top, packed.left, np.asarray(levels / np.float32(255), np.float32))
