"""Intensity windows: three of them make the three channels of a slice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ivos.types import Array
    from ivos.volume.volume import Volume

Window = tuple[float, float]
Windows = tuple[Window, Window, Window]
Modality = Literal["auto", "ct", "mr"]

CT_WINDOWS_HU: Windows = ((-150.0, 250.0), (-1350.0, 225.0), (-500.0, 1300.0))
"""Soft tissue; lung and mediastinum; bone."""

MR_PERCENTILES = ((0.5, 99.5), (0.5, 80.0), (40.0, 99.9))
"""Everything; the darker tissues; the brighter ones."""

_AIR = 0.01  # share of a CT scan that is air, at least
_SOFT = 0.8  # share of what is denser than lung that is no bone, at least
_CONSTANT = 0.02  # share of voxels of the lowest value that makes a background
_CENTRED = 0.05  # standard deviations from 0 within which a mean is that of z-scored values
_NARROWEST = 1e-30  # of a window: float32 still divides by it


def windows_for(volume: Volume, modality: Modality = "auto") -> Windows:
    """The windows that show a scan: fixed ones in HU for CT, percentiles of the scan itself otherwise.

    Args:
        volume: the scan.
        modality: ``"auto"`` goes by the file's own word, and where it has none by the intensities, see
            :func:`looks_like_ct`.
    """
    if modality == "auto":
        modality = modality_of(volume)
    if modality == "ct":
        return CT_WINDOWS_HU
    sample = _sample(volume.array)
    floor = float(sample.min())
    inside = sample[sample > floor]  # padding and suppressed background say nothing about tissue
    values = inside if inside.size else np.array([floor, float(volume.array.max())])
    first, second, third = (_window(values, low, high, floor) for low, high in MR_PERCENTILES)
    return first, second, third


def modality_of(volume: Volume) -> Literal["ct", "mr"]:
    """Which windows show a scan where nobody says: by its file's own word, or else by its intensities."""
    if volume.modality is not None:
        return "ct" if volume.modality == "CT" else "mr"
    return "ct" if looks_like_ct(volume.array) else "mr"


def with_modality(volume: Volume, modality: Modality) -> Volume:
    """A scan with the modality that a user says, whatever its file says; as it is for ``"auto"``."""
    return volume if modality == "auto" else replace(volume, modality=modality.upper())


def channels(image: Array, windows: Windows) -> npt.NDArray[np.float32]:
    """A slice (H, W) seen through three windows: (3, H, W), float32 in [0, 1]."""
    values = image.astype(np.float32)
    return np.stack([window(values, one) for one in windows])


def window(image: Array, limits: Window) -> npt.NDArray[np.float32]:
    """A slice (H, W) seen through one window: float32 in [0, 1]."""
    low, high = limits
    values = image.astype(np.float32, copy=False)
    with np.errstate(over="ignore"):  # beyond a narrow window is white, however far
        return np.asarray(np.clip((values - low) / max(high - low, _NARROWEST), 0.0, 1.0), np.float32)


def is_constant(array: Array) -> bool:
    """Whether a scan has one value everywhere, to the precision in which networks see it."""
    return bool(np.float32(array.min()) == np.float32(array.max()))


def describe_windows(volume: Volume, modality: Modality) -> dict[str, str]:
    """Which windows show a scan and what decided it, as commands tell it.

    Returns:
        ``"windows"``: ``"ct"`` or ``"mr"``; ``"windows_by"``: ``"option"``, ``"file"`` or ``"intensities"``.
    """
    if modality != "auto":
        return {"windows": modality, "windows_by": "option"}
    return {"windows": modality_of(volume), "windows_by": "intensities" if volume.modality is None else "file"}


def looks_like_ct(array: Array) -> bool:
    """Whether intensities of any shape are those of CT, in HU: with air about -1000, and soft above it.

    Signed values alone are no sign of it: MR is z-scored, scaled to -1000..1000 or shifted, and differences of scans
    are signed too. In CT nearly all that is denser than lung lies below 400, and there is more of that than of lung. A
    part of a CT scan that holds no air is whole numbers, holds fat and nothing below it, has no constant background,
    and is not centred on 0.
    """
    sample = _sample(array)
    above = sample[sample >= -200]
    share = above.size / sample.size
    if not above.size or float((above <= 400).mean()) < _SOFT:
        return False
    air = (sample >= -1100) & (sample <= -800)
    if air.mean() >= _AIR:
        return bool(((sample > -800) & (sample < -200)).mean() <= share)
    return bool(
        share >= 1 - _AIR
        and np.percentile(sample, 1) < -50
        and (sample == np.rint(sample)).all()
        and (sample == sample.min()).mean() < _CONSTANT
        and abs(sample.mean()) > _CENTRED * sample.std()
    )


def _sample(array: Array) -> npt.NDArray[np.float64]:
    """About a million voxels spread over the scan."""
    step = max(1, int((array.size / 1e6) ** (1 / 3)))
    sample: npt.NDArray[np.float64] = array[::step, ::step, ::step].astype(np.float64).ravel()
    return sample


def _window(values: npt.NDArray[np.float64], low: float, high: float, floor: float) -> Window:
    """Between two percentiles; where they are one value, up to the highest, or from the floor on."""
    bottom, top = (float(v) for v in np.percentile(values, (low, high)))
    if top - bottom < _least_width(bottom):
        top = float(values.max())
    if top - bottom < _least_width(bottom):
        bottom = floor
    return bottom, max(top, bottom + _least_width(bottom))


def _least_width(value: float) -> float:
    """What float32 tells apart there."""
    return max(4.0 * float(np.spacing(np.float32(abs(value)))), _NARROWEST)
