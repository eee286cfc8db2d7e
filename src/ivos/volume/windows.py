"""Intensity windows: three of them make the three channels of a slice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ivos.volume.volume import Array, Volume

Window = tuple[float, float]
Windows = tuple[Window, Window, Window]
Modality = Literal["auto", "ct", "mr"]

CT_WINDOWS_HU: Windows = ((-150.0, 250.0), (-1350.0, 225.0), (-500.0, 1300.0))
"""Soft tissue; lung and mediastinum; bone."""

MR_PERCENTILES = ((0.5, 99.5), (0.5, 80.0), (40.0, 99.9))
"""Everything; the darker tissues; the brighter ones."""


def windows_for(volume: Volume, modality: Modality = "auto") -> Windows:
    """The windows that show a scan: fixed ones in HU for CT, percentiles of the scan itself otherwise.

    Args:
        volume: the scan.
        modality: ``"auto"`` goes by the file's own word, and where it has none by the intensities: only CT holds
            air and fat, far below zero.
    """
    if modality == "auto":
        modality = "ct" if _is_ct(volume) else "mr"
    if modality == "ct":
        return CT_WINDOWS_HU
    sample = _sample(volume.array)
    inside = sample[sample > sample.min()]  # padding and suppressed background say nothing about tissue
    values = inside if inside.size else sample
    first, second, third = (_window(values, low, high) for low, high in MR_PERCENTILES)
    return first, second, third


def channels(image: Array, windows: Windows) -> npt.NDArray[np.float32]:
    """A slice (H, W) seen through three windows: (3, H, W), float32 in [0, 1]."""
    values = image.astype(np.float32)
    return np.stack([window(values, one) for one in windows])


def window(image: Array, limits: Window) -> npt.NDArray[np.float32]:
    """A slice (H, W) seen through one window: float32 in [0, 1]."""
    low, high = limits
    return np.clip((image.astype(np.float32, copy=False) - low) / (high - low), 0.0, 1.0).astype(np.float32, copy=False)


def _is_ct(volume: Volume) -> bool:
    if volume.modality is not None:
        return volume.modality == "CT"
    return bool(np.percentile(_sample(volume.array), 1) < -50)


def _sample(array: Array) -> npt.NDArray[np.float64]:
    """About a million voxels spread over the scan."""
    step = max(1, int((array.size / 1e6) ** (1 / 3)))
    sample: npt.NDArray[np.float64] = array[::step, ::step, ::step].astype(np.float64).ravel()
    return sample


def _window(values: npt.NDArray[np.float64], low: float, high: float) -> Window:
    bottom, top = (float(v) for v in np.percentile(values, (low, high)))
    return bottom, max(top, np.nextafter(bottom, np.inf) if top <= bottom else top)
