"""Random views of slices: rotated, scaled, shifted and deformed.

References:
    Cheng, Tai, Tang: Rethinking Space-Time Networks with Improved Memory Coverage for Efficient Video Object
    Segmentation, NeurIPS 2021 (training on single images and deformed copies of them).
    Bookstein: Principal warps: thin-plate splines and the decomposition of deformations, TPAMI 1989.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.ndimage import gaussian_filter

if TYPE_CHECKING:
    import numpy.typing as npt

    from ivos.types import FloatArray

BEYOND = -1
"""Label of what lies beyond a slice, and of what its labels say nothing of."""

_TURN_DEGREES, _ZOOM, _SHIFT = 20.0, (0.8, 1.25), 0.1
_PLATE_POINTS, _PLATE_SHIFT = 3, 0.05  # control points to a side, and how far they move, as a share of the side
_WAVE_SIGMA, _WAVE_SHIFT = 0.06, 0.015  # of an elastic field, as shares of the side
_COARSE = 8  # pixels between the points at which thin plates are evaluated


def view_grid(centre: tuple[float, float], extent: float, size: int, rng: np.random.Generator) -> FloatArray:
    """Where each pixel of a square view lies in a slice: a view about a point, at most half of them mirrored.

    CT and MR slices have an up and a down: they are mirrored sideways alone.

    Args:
        centre: row and column.
        extent: pixels of the slice that the view spans.
        size: side of the view.
        rng: draws.

    Returns:
        (S, S, 2) rows and columns.
    """
    away = (np.indices((size, size), np.float32) - (size - 1) / 2) * (extent / size)
    if rng.random() < 0.5:
        away[1] *= -1
    return np.stack([away[0] + centre[0], away[1] + centre[1]], -1)


def random_deformation(size: int, rng: np.random.Generator) -> FloatArray:
    """A random affine map, after a thin plate and an elastic field: where each pixel of a view came from.

    Returns:
        (S, S, 2) rows and columns in the undeformed view.
    """
    half = (size - 1) / 2
    rows_columns = np.moveaxis(np.indices((size, size), np.float32), 0, -1)
    turn = np.deg2rad(rng.uniform(-_TURN_DEGREES, _TURN_DEGREES))
    zoom = np.exp(rng.uniform(np.log(_ZOOM[0]), np.log(_ZOOM[1]), 2))
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) / zoom[:, None]
    affine = (rows_columns - half) @ matrix.T.astype(np.float32) + half
    shift = rng.uniform(-_SHIFT, _SHIFT, 2) * size
    return np.asarray(affine + shift + _plate(size, rng) + _waves(size, rng), np.float32)


def sample_planes(planes: FloatArray, where: FloatArray) -> FloatArray:
    """Planes (C, H, W) at places (S, S, 2), interpolated; 0 beyond them."""
    rows, columns = np.ascontiguousarray(where[..., 0]), np.ascontiguousarray(where[..., 1])
    return np.stack([cv2.remap(plane, columns, rows, cv2.INTER_LINEAR) for plane in planes])


def sample_labels(labels: npt.NDArray[np.int16], where: FloatArray) -> npt.NDArray[np.int16]:
    """Labels (H, W) at the nearest of places (S, S, 2); :data:`BEYOND` beyond them."""
    rows, columns = np.ascontiguousarray(where[..., 0]), np.ascontiguousarray(where[..., 1])
    found = cv2.remap(labels, columns, rows, cv2.INTER_NEAREST, borderValue=float(BEYOND))
    return np.asarray(found, np.int16)


def _plate(size: int, rng: np.random.Generator) -> FloatArray:
    """Shifts (S, S, 2) of a thin plate whose control points move."""
    places = np.linspace(0, size - 1, _PLATE_POINTS)
    points = np.stack(np.meshgrid(places, places, indexing="ij"), -1).reshape(-1, 2)
    moves = rng.normal(0, _PLATE_SHIFT * size / 2, points.shape)
    coarse = np.linspace(0, size - 1, max(2, size // _COARSE))
    wanted = np.stack(np.meshgrid(coarse, coarse, indexing="ij"), -1).reshape(-1, 2)
    shifts = RBFInterpolator(points, moves, kernel="thin_plate_spline")(wanted).reshape(len(coarse), -1, 2)
    return np.asarray(cv2.resize(shifts.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC), np.float32)


def _waves(size: int, rng: np.random.Generator) -> FloatArray:
    """Smooth random shifts (S, S, 2)."""
    field = np.stack([gaussian_filter(rng.normal(size=(size, size)), _WAVE_SIGMA * size) for _ in range(2)], -1)
    return np.asarray(field * (_WAVE_SHIFT * size / max(float(field.std()), 1e-9)), np.float32)
