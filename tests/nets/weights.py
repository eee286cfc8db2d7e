"""Deterministic weights and scenes, by the recipe of the parity fixtures."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING

import numpy as np
import torch

from ivos.propagation.engines.protocol import Slice
from ivos.propagation.masks import Masks

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.propagation.engines.protocol import Engine
    from ivos.types import FloatArray

MEAN = np.array([0.485, 0.456, 0.406], np.float32)[:, None, None]
STD = np.array([0.229, 0.224, 0.225], np.float32)[:, None, None]


def drawn_weight(key: str, shape: tuple[int, ...]) -> torch.Tensor:
    if key.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.long)
    n = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode()))).standard_normal(shape)
    if key.endswith("running_var"):
        value = 1 + 0.1 * np.abs(n)
    elif key.endswith("running_mean"):
        value = 0.1 * n
    elif len(shape) <= 1:
        value = 1 + 0.1 * n if key.endswith("weight") else 0.1 * n
    else:
        value = n / np.sqrt(np.prod(shape[1:]))
    return torch.from_numpy(np.asarray(value, np.float32))


def published(names: Path) -> dict[str, torch.Tensor]:
    """Weights for a published list of names and shapes."""
    return {key: drawn_weight(key, tuple(shape)) for key, shape in json.loads(names.read_text()).items()}


def scene(seed: int, frames: int, height: int, width: int, k: int) -> tuple[FloatArray, FloatArray]:
    """Images (T, 3, H, W) and the label map (H, W) of the parity fixtures."""
    g = np.random.Generator(np.random.PCG64(seed))
    images = g.random((frames, 3, height, width)).astype(np.float32)
    rows, columns = np.mgrid[:height, :width]
    label = np.zeros((height, width), np.float32)
    for number in range(1, k + 1):
        cy, cx = g.random(2)
        r = 0.12 + 0.1 * g.random()
        label[(rows - cy * height) ** 2 + (columns - cx * width) ** 2 < (r * min(height, width)) ** 2] = number
    for number in range(1, k + 1):
        inside = label == number
        images[:, :, inside] = 0.25 * images[:, :, inside] + 0.75 * number / (k + 1)
    return images, label


def run(engine: Engine, images: FloatArray, label: FloatArray, k: int) -> FloatArray:
    """Probabilities (K + 1, T - 1, H, W) of all frames after the first; the engine's normalisation is undone.

    The background's are what the structures leave, as the shares of a pixel sum to one.
    """
    masks = np.stack([label == number for number in range(1, k + 1)]).astype(np.float32)
    shown = [(image * STD + MEAN).astype(np.float32) for image in images]
    slices = [Slice(t, image, (1.0, 1.0), ahead=image) for t, image in enumerate(shown)]
    engine.observe(slices[0], Masks.of(masks), np.ones(k, bool))
    found = np.stack([engine.predict(s, None).dense() for s in slices[1:]], 1)
    return np.concatenate([1 - found.sum(axis=0, keepdims=True), found])
