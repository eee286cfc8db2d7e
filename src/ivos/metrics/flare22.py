"""DSC and NSD by the rules of the FLARE22 challenge, as its evaluation script prints them.

References:
    Ma et al.: Unleashing the strengths of unlabelled data in deep learning-assisted pan-cancer abdominal organ
    quantification: the FLARE22 challenge, Lancet Digital Health 2024.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal

import numpy as np

from ivos.errors import InputError
from ivos.metrics.overlap import dsc
from ivos.volume.labels import bundled_scheme, canonical_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from ivos.volume.geometry import Triple
    from ivos.volume.volume import Volume

    Mask = npt.NDArray[np.bool_]

Protocol = Literal["standard", "flare22", "flare22-corrected"]
"""By which rules DSC and NSD are computed: the plain definitions, the FLARE22 challenge's, those less their error."""

ORGANS = bundled_scheme("flare22").names
"""The challenge's label ids, 1 to 13, and the organs' names."""

TOLERANCE_MM = {
    "liver": 5.0,
    "kidney_right": 3.0,
    "spleen": 3.0,
    "pancreas": 5.0,
    "aorta": 2.0,
    "inferior_vena_cava": 2.0,
    "adrenal_gland_right": 2.0,
    "adrenal_gland_left": 2.0,
    "gallbladder": 2.0,
    "esophagus": 3.0,
    "stomach": 5.0,
    "duodenum": 7.0,
    "kidney_left": 3.0,
}
"""Tolerance of each organ's NSD."""

_TUBES = ("aorta", "inferior_vena_cava", "esophagus")  # labelled on a part of their way through the scan
_LOWEST_DSC = 0.2  # below it the NSD is 0
_DECIMALS = 4
_REMEDY = "FLARE22 numbers them from 1, liver, to 13, kidney_left: bring the labels into that scheme first"


def dsc_and_nsd(
    prediction: Mask, truth: Mask, spacing_mm: Triple, organ: int, *, corrected: bool = False
) -> tuple[float, float]:
    """DSC and NSD of one organ.

    An organ in neither mask counts 1 and 1, in one of them 0 and 0; a DSC below 0.2 makes the NSD 0. Aorta, IVC and
    esophagus count between the first and the last slice on which the truth has them; the script leaves the last out.

    Args:
        prediction: mask (Z, Y, X), slices in the order in which the file of the truth has them.
        truth: mask of the same shape.
        spacing_mm: voxel spacing (z, y, x) as the file has it.
        organ: label id, 1 to 13.
        corrected: count the last slice too.

    Returns:
        Both from 0 to 1, rounded to 4 decimals. NaN where the truth has a tube on one slice alone, which leaves the
        uncorrected rules nothing to compare: the script stops there.
    """
    if not (prediction.any() and truth.any()):
        return (0.0, 0.0) if prediction.any() or truth.any() else (1.0, 1.0)
    if ORGANS[organ] in _TUBES:
        slices = np.flatnonzero(truth.any(axis=(1, 2)))
        counted = slice(slices[0], slices[-1] + 1 if corrected else slices[-1])
        prediction, truth = prediction[counted], truth[counted]
    overlap = dsc(prediction, truth)
    if np.isnan(overlap):
        return overlap, overlap
    surface = 0.0 if overlap < _LOWEST_DSC else _nsd(prediction, truth, spacing_mm, TOLERANCE_MM[ORGANS[organ]])
    return _round(overlap), _round(surface)


def check_labels(labels: Volume, what: str, names: Mapping[int, str] | None = None) -> None:
    """Refuse labels of another scheme: they would be compared by the rules of other organs.

    Args:
        labels: label ids.
        what: how to name the labels in an error.
        names: names of label ids, instead of those that the labels carry.

    Raises:
        InputError: an id above 13, or a name that the challenge has for another id.
    """
    highest = int(labels.array.max())
    if highest:
        check_organs([highest], what)
    ids = {name: organ for organ, name in ORGANS.items()}
    for label, name in (names or labels.names).items():
        if ids.get(canonical_name(name), label) != label:
            raise InputError(f"{what}: label {label} is called {name}; {_REMEDY}")


def check_organs(ids: Sequence[int], what: str) -> None:
    """Refuse ids that the challenge does not have.

    Raises:
        InputError: one of them is not from 1 to 13.
    """
    for label in ids:
        if label not in ORGANS:
            raise InputError(f"{what}: label {label} is not a FLARE22 organ; {_REMEDY}")


def _nsd(prediction: Mask, truth: Mask, spacing_mm: Triple, tolerance_mm: float) -> float:
    """NSD with distances in double precision, as the script has them; neither mask is empty.

    NIfTI files hold 0.4 mm as 0.4000000059604645 mm, so that in double precision five voxels are more than 2 mm. In
    single precision, as in :func:`ivos.metrics.surface.nsd`, they are 2 mm: another NSD in the second decimal.
    """
    import torch
    from monai.metrics.utils import get_mask_edges

    padded = [torch.from_numpy(np.pad(mask, 1)) for mask in (prediction, truth)]  # a surface needs background around it
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MONAI's own, on its dependencies
        found = get_mask_edges(*padded, spacing=[float(s) for s in spacing_mm])
    edges_a, edges_b, areas_a, areas_b = (np.asarray(part) for part in found)
    within = total = 0.0
    for edges, areas, others in ((edges_a, areas_a, edges_b), (edges_b, areas_b, edges_a)):
        areas_mm2 = areas[edges].astype(np.float64)
        near = _distances_mm(edges, others, spacing_mm) <= tolerance_mm
        within, total = within + float(areas_mm2[near].sum()), total + float(areas_mm2.sum())
    return within / total


def _distances_mm(edges: Mask, others: Mask, spacing_mm: Triple) -> npt.NDArray[np.float64]:
    """From every element of a surface (Z, Y, X) to the nearest one of another, in the order of ``np.argwhere``."""
    from scipy.spatial import KDTree

    places, targets, spacing = np.argwhere(edges), np.argwhere(others), np.asarray(spacing_mm)
    nearest = targets[KDTree(targets * spacing).query(places * spacing)[1]]
    # Of whole steps, as a distance transform has it: distances of scaled coordinates differ in the last bit
    distances: npt.NDArray[np.float64] = np.linalg.norm((places - nearest) * spacing, axis=1)
    return distances


def _round(value: float) -> float:
    """NumPy's rounding, which is the script's: Python's differs in the last digit of ties such as 0.00625."""
    return float(np.round(value, _DECIMALS))
