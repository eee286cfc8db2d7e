"""A family of phantoms that no bundled weights have met: cells, alike inside, which thin dark membranes keep apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from ivos.phantom.case import Phantom
from ivos.volume.geometry import Geometry
from ivos.volume.volume import Volume

if TYPE_CHECKING:
    import numpy.typing as npt

_CELLS, _STRUCTURES = 45, 8
_SHAPE = (28, 144, 144)
_SPACING_MM = (2.0, 1.0, 1.0)
_DRIFT, _BREATHING = 1.2, 3.0  # pixels from slice to slice, and by how much cells grow and shrink on the way
_MEMBRANE = 1.3


def cells(seed: int) -> Phantom:
    """A stack as an electron microscope gives it: packed cells that drift, grow and end from slice to slice.

    Args:
        seed: which case.
    """
    rng = np.random.default_rng((seed, 8))
    depth, *plane = _SHAPE
    drift = gaussian_filter1d(rng.normal(0, 3 * _DRIFT, (depth, _CELLS, 2)), 2, axis=0).cumsum(axis=0)
    centres = rng.uniform(0, plane, (_CELLS, 2)) + drift
    sizes = gaussian_filter1d(rng.normal(0, 3 * _BREATHING, (depth, _CELLS)), 4, axis=0, mode="nearest")
    pixels = np.moveaxis(np.indices(plane), 0, -1)[..., None, :]
    labels, grey = np.zeros(_SHAPE, np.uint8), np.zeros(_SHAPE)
    for z in range(depth):
        away = np.linalg.norm(pixels - centres[z], axis=-1) - sizes[z]  # (H, W, cells)
        nearest = np.sort(away, axis=-1)
        labels[z] = 1 + away.argmin(axis=-1)
        grey[z] = 1 - 0.8 * np.exp(-(((nearest[..., 1] - nearest[..., 0]) / _MEMBRANE) ** 2))
    grains = gaussian_filter(rng.normal(size=_SHAPE), (0.6, 1.2, 1.2))
    grey += 0.25 * np.minimum(grains / grains.std(), 0) + rng.normal(0, 0.05, _SHAPE)
    scan = Volume.from_array(
        np.rint(1000 * grey).astype(np.int16), Geometry(_SHAPE, _SPACING_MM, (0.0, 0.0, 0.0)), modality="MR"
    )
    return Phantom(scan, scan.with_array(_inner(labels)))


def _inner(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Those of the cells that are largest without touching a side, under ids from 1 on."""
    edge = np.zeros(labels.shape[1:], bool)
    edge[[0, -1]] = edge[:, [0, -1]] = True
    volumes = np.bincount(labels.ravel(), minlength=_CELLS + 1)
    volumes[np.unique(labels[:, edge])] = 0
    chosen = [k for k in np.argsort(-volumes)[:_STRUCTURES] if volumes[k] > 0]
    table = np.zeros(_CELLS + 1, np.uint8)
    table[chosen] = np.arange(1, len(chosen) + 1)
    return np.asarray(table[labels])
