"""Smooth random fields, and correlated noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ivos.volume.geometry import Shape, Triple

Field = npt.NDArray[np.float32]


def smooth_field(rng: np.random.Generator, shape: Shape, spacing_mm: Triple, wavelength_mm: float) -> Field:
    """A random field (Z, Y, X) of mean 0 and standard deviation near 1 that varies over about a wavelength.

    It is drawn on a coarse grid and interpolated by cubic splines, so that it costs little at any resolution.
    """
    sizes = [n * s for n, s in zip(shape, spacing_mm, strict=True)]
    coarse = [max(4, int(np.ceil(2 * size / wavelength_mm)) + 3) for size in sizes]
    field = rng.standard_normal(coarse).astype(np.float32)
    depth, height, width = (_interpolation(n, m) for n, m in zip(coarse, shape, strict=True))
    field = (depth @ field.reshape(coarse[0], -1)).astype(np.float32).reshape(shape[0], *coarse[1:])
    field = (height @ field).astype(np.float32)
    return np.asarray((field @ width.T).astype(np.float32) / np.float32(0.6))  # what interpolation takes off, about


def _interpolation(knots: int, length: int) -> npt.NDArray[np.float64]:
    """Weights (length, knots) of cubic interpolation inside the outermost knots."""
    places = np.linspace(1.0, knots - 2.0, length, dtype=np.float32)
    left = np.floor(places).astype(int).clip(1, knots - 3)
    t = places - left
    weights = (
        -0.5 * t + t**2 - 0.5 * t**3,
        1 - 2.5 * t**2 + 1.5 * t**3,
        0.5 * t + 2 * t**2 - 1.5 * t**3,
        0.5 * (t**3 - t**2),
    )
    matrix = np.zeros((length, knots))
    for weight, step in zip(weights, (-1, 0, 1, 2), strict=True):
        matrix[np.arange(length), left + step] = weight
    return matrix


def scanner_noise(rng: np.random.Generator, shape: Shape, deviation_hu: float, grain_pixels: float) -> Field:
    """CT noise (Z, Y, X): independent from slice to slice, grainy within one as a reconstruction filter leaves it."""
    noise = np.empty(shape, np.float32)
    for z in range(shape[0]):
        plane = rng.standard_normal(shape[1:], dtype=np.float32)
        plane = cv2.GaussianBlur(plane, (0, 0), grain_pixels) - 0.5 * cv2.GaussianBlur(plane, (0, 0), 3 * grain_pixels)
        noise[z] = plane * np.float32(deviation_hu / max(float(plane.std()), 1e-6))
    return noise
