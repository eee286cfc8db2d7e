"""Pseudo-structures: regions of an over-segmentation of a real scan, used as training labels.

Their borders are real borders, and they need no annotation.

References:
    Wong, Rakic, Guttag, Dalca: ScribblePrompt: Fast and flexible interactive segmentation for any biomedical image,
    ECCV 2024 (superpixels as labels).
    Beucher, Meyer: The morphological approach to segmentation: the watershed transformation, 1993.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

if TYPE_CHECKING:
    from ivos.phantom.fields import Field
    from ivos.volume.geometry import Triple

_SCALES_MM = (1.2, 2.2, 3.5)
_LEVELS = (0.01, 0.12)  # depth of basins that are merged, as a share of the strongest gradients
_LEAST_VOXELS, _LARGEST_SHARE = 250, 0.08
_LEAST_LEFT = 0.25  # of a region after smoothing; thinner ones are left out
_SMOOTH_MM = 1.3
_DARK = 0.04  # mean brightness of what is taken for air
_MOST_STRUCTURES = 120


def pseudo_structures(image: Field, spacing_mm: Triple, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Regions of a scan at a random scale, each with a label of its own.

    Args:
        image: (Z, Y, X) in [0, 1].
        spacing_mm: (z, y, x).
        rng: what is drawn.

    Returns:
        Labels (Z, Y, X), 0 where no region was taken.
    """
    regions = _watershed(image, spacing_mm, float(rng.choice(_SCALES_MM)), float(np.exp(rng.uniform(*np.log(_LEVELS)))))
    sizes = np.bincount(regions.ravel())
    brightness = np.bincount(regions.ravel(), image.ravel()) / np.maximum(sizes, 1)
    wanted = (sizes > _LEAST_VOXELS) & (sizes < _LARGEST_SHARE * image.size) & (brightness > _DARK)
    labels = np.zeros(image.shape, np.uint8)
    places = ndimage.find_objects(regions)
    taken = 0
    for region in rng.permutation(np.flatnonzero(wanted)):
        place = tuple(slice(max(0, part.start - 2), part.stop + 2) for part in places[region - 1])
        mask = _smooth(regions[place] == region, spacing_mm)
        if mask.sum() < max(_LEAST_VOXELS, _LEAST_LEFT * sizes[region]):
            continue
        taken += 1
        part = labels[place]
        part[mask & (part == 0)] = taken
        if taken == _MOST_STRUCTURES:
            break
    return labels


def _watershed(image: Field, spacing_mm: Triple, scale_mm: float, level: float) -> npt.NDArray[np.int64]:
    """Basins of the gradient at a scale, numbered from 1; those shallower than a level are merged."""
    scan = sitk.GetImageFromArray(image)
    scan.SetSpacing(spacing_mm[::-1])
    gradient = sitk.GradientMagnitudeRecursiveGaussian(scan, sigma=max(scale_mm, 0.6 * spacing_mm[1]))
    strong = float(np.percentile(sitk.GetArrayViewFromImage(gradient), 98))
    basins = sitk.MorphologicalWatershed(gradient, level=level * max(strong, 1e-6), markWatershedLine=False)
    return np.asarray(sitk.GetArrayFromImage(basins), np.int64)


def _smooth(mask: npt.NDArray[np.bool_], spacing_mm: Triple) -> npt.NDArray[np.bool_]:
    """The largest piece of a smoothed mask."""
    sigma = [min(1.5, _SMOOTH_MM / spacing) for spacing in spacing_mm]
    pieces, count = ndimage.label(ndimage.gaussian_filter(mask.astype(np.float32), sigma) > 0.5)
    if count < 2:
        return np.asarray(pieces > 0)
    return np.asarray(pieces == 1 + np.bincount(pieces.ravel())[1:].argmax())
