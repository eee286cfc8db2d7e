"""A family of phantoms that no bundled weights have met: structures that only their texture tells apart."""

from __future__ import annotations

import numpy as np

from ivos.phantom.case import Phantom
from ivos.phantom.fields import smooth_field
from ivos.volume.geometry import Geometry
from ivos.volume.volume import Volume

_STRUCTURES = 5
_SHAPE = (24, 128, 128)
_SPACING_MM = (2.0, 1.0, 1.0)


def woven(seed: int) -> Phantom:
    """Cloths of the same mean brightness, each striped in a direction and a width of its own.

    Args:
        seed: which case.
    """
    rng = np.random.default_rng((seed, 7))
    grid = Geometry(_SHAPE, _SPACING_MM, (0.0, 0.0, 0.0))
    fields = np.stack([smooth_field(rng, _SHAPE, _SPACING_MM, 60.0) for _ in range(_STRUCTURES + 1)])
    labels = fields.argmax(axis=0).astype(np.uint8)
    rows, columns = np.indices(_SHAPE[1:], dtype=np.float32)
    turns = (np.arange(len(fields)) + rng.random()) * np.pi / len(fields)
    stripes = [
        np.sin(
            2 * np.pi * (rows * np.sin(turn) + columns * np.cos(turn)) / rng.uniform(4, 8) + rng.uniform(0, 2 * np.pi)
        )
        for turn in turns
    ]
    seen = np.stack(stripes)[labels, rows.astype(int), columns.astype(int)] + rng.normal(0, 0.3, _SHAPE)
    scan = Volume.from_array(np.rint(500 + 150 * seen).astype(np.int16), grid, modality="MR")
    return Phantom(scan, scan.with_array(labels))
