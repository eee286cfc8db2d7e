"""Random image degradation: partial volume, motion, shading, blur, streaks, noise, contrast."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ivos.phantom.fields import Field, scanner_noise, smooth_field

_BLENDED = 0.6  # share of scans whose slices are so thick that neighbours show
_MOVED = 0.25  # share of scans whose slices have moved against each other


def blend_slices(intensities: Field, rng: np.random.Generator) -> Field:
    """Intensities (Z, Y, X) with something of the slices above and below in each, in most cases."""
    if rng.random() > _BLENDED:
        return intensities
    weight = np.float32(rng.uniform(0, 0.3))
    padded = np.concatenate([intensities[:1], intensities, intensities[-1:]])
    return np.asarray((1 - weight) * intensities + weight / 2 * (padded[:-2] + padded[2:]), np.float32)


def simulate_motion(
    intensities: Field, labels: npt.NDArray[np.uint8], rng: np.random.Generator
) -> tuple[Field, npt.NDArray[np.uint8]]:
    """Intensities and labels (Z, Y, X), slices shifted in plane as by breath or a slanted gantry; most cases as is."""
    if rng.random() > _MOVED:
        return intensities, labels
    steps = rng.uniform(-1, 1, (len(labels), 2)) * rng.uniform(0.3, 1.5)
    shifts = steps.cumsum(axis=0) if rng.random() < 0.5 else steps
    if rng.random() < 0.3:
        shifts = shifts + np.arange(len(labels))[:, None] * rng.uniform(-0.4, 0.4, 2)
    shifts -= shifts.mean(axis=0)
    size = labels.shape[:0:-1]
    images, masks = np.empty_like(intensities), np.empty_like(labels)
    for z, (down, right) in enumerate(shifts):
        matrix = np.array([[1, 0, right], [0, 1, down]])
        images[z] = cv2.warpAffine(intensities[z], matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        masks[z] = cv2.warpAffine(labels[z], matrix, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT)
    return images, masks


def degrade(intensities: Field, rng: np.random.Generator) -> Field:
    """Intensities (Z, Y, X) of about 0..1 after shading, blur, streaks, noise, contrast and windowing; 0..1 again."""
    depth, height, width = intensities.shape
    seen = intensities * _shading(intensities.shape, rng)
    seen = _blur(seen, float(rng.uniform(0.2, 1.1)))
    if rng.random() < 0.15:
        seen = seen + _streaks(intensities.shape, rng)
    noise, grain = float(rng.uniform(0.005, 0.09)), float(rng.uniform(0.5, 1.2))
    seen = seen + scanner_noise(rng, (depth, height, width), noise, grain)
    low, high = np.percentile(seen[:: max(1, len(seen) // 8)], (rng.uniform(0, 8), rng.uniform(92, 100)))
    windowed = np.clip((seen - low) / max(float(high - low), 1e-3), 0, 1) ** float(np.exp(rng.uniform(-0.4, 0.4)))
    return np.asarray(1 - windowed if rng.random() < 0.3 else windowed, np.float32)


def _shading(shape: tuple[int, ...], rng: np.random.Generator) -> Field:
    """A bias field, as receiver coils leave it in MR; none in half of the cases."""
    if rng.random() < 0.5:
        return np.ones(shape, np.float32)
    depth, height, width = shape
    field = smooth_field(rng, (depth, height, width), (1.0, 1.0, 1.0), 1.5 * width)
    return np.asarray(np.exp(np.float32(rng.uniform(0.05, 0.25)) * field), np.float32)


def _blur(image: Field, sigma: float) -> Field:
    return np.stack([cv2.GaussianBlur(plane, (0, 0), sigma) for plane in image])


def _streaks(shape: tuple[int, ...], rng: np.random.Generator) -> Field:
    """Bright and dark rays from a point, as metal leaves them in CT, on some neighbouring slices."""
    depth, height, width = shape
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    angle = np.arctan2(rows - rng.uniform(0, height), columns - rng.uniform(0, width))
    rays = sum(np.sin(int(n) * angle + rng.uniform(0, 6.28)) for n in rng.integers(7, 40, 4)) / 4
    strength = np.exp(-(((np.arange(depth) - rng.uniform(0, depth)) / rng.uniform(1, 4)) ** 2))
    streaks = float(rng.uniform(0.05, 0.2)) * strength[:, None, None] * np.asarray(rays)[None]
    return np.asarray(streaks, np.float32)
