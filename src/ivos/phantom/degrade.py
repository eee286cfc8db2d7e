"""What scanners do to a picture, at random and in any modality."""

from __future__ import annotations

import cv2
import numpy as np

from ivos.phantom.fields import Field, scanner_noise, smooth_field


def degraded(intensities: Field, rng: np.random.Generator) -> Field:
    """Intensities (Z, Y, X) of about 0..1 after shading, blur, streaks, noise, contrast and windowing; 0..1 again."""
    depth, height, width = intensities.shape
    seen = intensities * _shading(intensities.shape, rng)
    seen = _blurred(seen, float(rng.uniform(0.2, 1.1)))
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


def _blurred(image: Field, sigma: float) -> Field:
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
