"""Two passes into one answer, and an answer into labels."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ivos.volume.box import bounding_box

if TYPE_CHECKING:
    from ivos.propagation.engines.protocol import FloatArray

_LEAST_WEIGHT = 0.05  # what a pass still weighs where it is wholly undecided


def fuse(forward: FloatArray, backward: FloatArray, before: FloatArray, after: FloatArray) -> FloatArray:
    """Two passes' probabilities into one, each weighted by how near its annotation is and how decided it is.

    Args:
        forward: (K, H, W) probabilities of the pass that came up from the annotated slice before this one.
        backward: (K, H, W) of the pass that came down from the annotated slice after it.
        before: (K,) slices since that annotation; infinite where there is none, and the pass does not count.
        after: (K,) slices to that one.

    Returns:
        (K, H, W) probabilities, at most 1 in sum over K; zero where neither pass counts.
    """
    near = _per_structure(before) * (np.abs(2 * forward - 1) + _LEAST_WEIGHT)
    far = _per_structure(after) * (np.abs(2 * backward - 1) + _LEAST_WEIGHT)
    total = near + far
    fused = np.divide(near * forward + far * backward, total, out=np.zeros_like(total), where=total > 0)
    limited: FloatArray = fused / np.maximum(fused.sum(axis=0, keepdims=True), 1.0)
    return limited


def _per_structure(distance: FloatArray) -> FloatArray:
    weights: FloatArray = (1.0 / np.maximum(distance, 0.5)).astype(np.float32)
    return weights[:, None, None]


def decide(probabilities: FloatArray) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.uint8]]:
    """Structure probabilities (K, H, W) into the likeliest class (H, W) and its probability.

    Returns:
        0 for background and k for structure k of 1..K; the probability as 0..255.
    """
    everything = np.concatenate([1.0 - probabilities.sum(axis=0, keepdims=True), probabilities])
    classes = everything.argmax(axis=0)
    confidence = np.take_along_axis(everything, classes[None], axis=0)[0]
    return classes, np.rint(np.clip(confidence, 0.0, 1.0) * 255).astype(np.uint8)


@dataclass(frozen=True)
class PackedMasks:
    """Probabilities (K, H, W) of one slice in little memory: eight bits, the structures' surroundings only, deflated.

    A pass has to be kept until the other one meets it; kept whole as floats, a long scan would not fit in memory.
    """

    shape: tuple[int, ...]
    box: tuple[slice, ...] | None
    data: bytes

    @staticmethod
    def pack(probabilities: FloatArray) -> PackedMasks:
        """Keep (K, H, W) probabilities to the nearest 1/255."""
        levels = np.rint(probabilities * 255).astype(np.uint8)
        box = bounding_box(np.any(levels, axis=0))
        data = b"" if box is None else zlib.compress(levels[(slice(None), *box)].tobytes(), level=1)
        return PackedMasks(levels.shape, box, data)

    def unpack(self) -> FloatArray:
        """The probabilities (K, H, W) again, float32."""
        masks = np.zeros(self.shape, np.float32)
        if self.box is not None:
            patch = masks[(slice(None), *self.box)]
            levels = np.frombuffer(zlib.decompress(self.data), np.uint8).reshape(patch.shape)
            patch[:] = levels / np.float32(255)
        return masks
