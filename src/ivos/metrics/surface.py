"""Distances between the surfaces of two masks, in millimetres."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from ivos.volume.boxes import bounding_box

if TYPE_CHECKING:
    import numpy.typing as npt

    from ivos.volume.geometry import Triple

_MARGIN_VOXELS = 2  # a surface needs the background around it


def nsd(
    prediction: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_], spacing_mm: Triple, tolerance_mm: float
) -> float:
    """Normalised surface Dice: the share of both surfaces, by area, that lies within a tolerance of the other.

    Args:
        prediction: mask (Z, Y, X).
        truth: mask of the same shape.
        spacing_mm: voxel spacing (z, y, x).
        tolerance_mm: how far apart surfaces may be and still agree.

    Returns:
        0 to 1; 0 where one mask is empty, NaN where both are.

    References:
        Nikolov et al.: Clinically Applicable Segmentation of Head and Neck Anatomy for Radiotherapy, JMIR 2021.
    """
    if not (prediction.any() and truth.any()):
        return float("nan") if prediction.any() == truth.any() else 0.0
    from monai.metrics import compute_surface_dice

    one_hot = _one_hot(prediction, truth)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MONAI's own, on its dependencies
        found = compute_surface_dice(
            *one_hot, class_thresholds=[tolerance_mm], spacing=[float(s) for s in spacing_mm], use_subvoxels=True
        )
    return float(found[0, 0])


def hd95_mm(prediction: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_], spacing_mm: Triple) -> float:
    """95th percentile Hausdorff distance: the larger of the two directed 95th percentiles between border voxels.

    Args:
        prediction: mask (Z, Y, X).
        truth: mask of the same shape.
        spacing_mm: voxel spacing (z, y, x).

    Returns:
        Millimetres; infinite where one mask is empty, NaN where both are.
    """
    if not (prediction.any() and truth.any()):
        return float("nan") if prediction.any() == truth.any() else float("inf")
    from monai.metrics import compute_hausdorff_distance

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MONAI's own, on its dependencies
        found = compute_hausdorff_distance(
            *_one_hot(prediction, truth), percentile=95, spacing=[float(s) for s in spacing_mm]
        )
    return float(found[0, 0])


def _one_hot(*masks: npt.NDArray[np.bool_]) -> list[Any]:
    """Masks as MONAI takes them, (1, 1, Z, Y, X), cropped to what they hold."""
    import torch

    filled = np.logical_or(*masks)
    box = bounding_box(filled)
    assert box is not None  # noqa: S101 - the callers have seen that both masks hold something
    return [torch.from_numpy(np.pad(mask[box], _MARGIN_VOXELS)[None, None]) for mask in masks]
