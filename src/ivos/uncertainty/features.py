"""Quality features of a segmentation, collected slice by slice.

References:
    IVOS (FLARE22): mutual agreement of several predictions.
    Roy et al.: Bayesian QuickNAT, NeuroImage 2019: agreement of samples as a stand-in for the DSC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ivos.propagation.fusion import decide

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivos.propagation.masks import Masks
    from ivos.propagation.patch import Patch

PerSlice = npt.NDArray[np.float64]
"""(N, K): a figure for each slice and structure."""


@dataclass
class Agreement:
    """Agreement of two segmentations of a scan.

    Attributes:
        intersection: area that both masks share, in pixels, by slice and structure.
        area_sum: sum of the areas of both masks.
    """

    intersection: PerSlice
    area_sum: PerSlice

    def dsc(self) -> npt.NDArray[np.float64]:
        """(K,) soft DSC of the two over all slices that were compared; NaN for a structure that neither has."""
        with np.errstate(invalid="ignore"):
            agreed: npt.NDArray[np.float64] = 2 * self.intersection.sum(axis=0) / self.area_sum.sum(axis=0)
        return agreed


@dataclass
class QualityFeatures:
    """Gathered for N slices and K structures.

    Attributes:
        voxels: labelled pixels.
        probable: sum of the probabilities.
        certain: sum of the probabilities of the labelled pixels.
        entropy: sum of the binary entropies of the probabilities, in bits.
        agreements: by name, of two answers: of two passes, of several networks, of both stages.
    """

    voxels: PerSlice
    probable: PerSlice
    certain: PerSlice
    entropy: PerSlice
    agreements: dict[str, Agreement] = field(default_factory=dict)

    @staticmethod
    def of(slices: int, structures: int) -> QualityFeatures:
        """Nothing gathered yet."""
        shape = (slices, structures)
        return QualityFeatures(np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(shape))

    def add(self, index: int, masks: Masks) -> None:
        """Take the final answer for a slice."""
        classes, _ = decide(masks)
        for k, patch in enumerate(masks.patches):
            if patch is None:
                continue
            labelled = classes[patch.place] == k + 1
            self.voxels[index, k] = np.count_nonzero(labelled)
            self.probable[index, k] = patch.values.sum()
            self.certain[index, k] = patch.values[labelled].sum()
            self.entropy[index, k] = _entropy_bits(patch.values)

    def compare(self, name: str, index: int, one: Masks, other: Masks) -> None:
        """Take two answers for a slice that should be the same."""
        empty = (np.zeros_like(self.voxels), np.zeros_like(self.voxels))
        agreement = self.agreements.setdefault(name, Agreement(*empty))
        for k, (a, b) in enumerate(zip(one.patches, other.patches, strict=True)):
            agreement.area_sum[index, k] += sum(p.area for p in (a, b) if p is not None)
            if a is not None and b is not None:
                agreement.intersection[index, k] += _overlap(a, b)

    def figures(self, spacing_ml: float) -> list[dict[str, float]]:
        """For each structure what an estimate of its DSC goes by; NaN for what was not gathered.

        Args:
            spacing_ml: volume of a voxel.

        Returns:
            ``certainty``, the DSC to expect if the probabilities are right; ``entropy`` per labelled voxel, in bits;
            ``log_ml``, the logarithm of the volume; and the agreements by their names.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            voxels, probable = self.voxels.sum(axis=0), self.probable.sum(axis=0)
            certainty = 2 * self.certain.sum(axis=0) / (voxels + probable)
            entropy = self.entropy.sum(axis=0) / voxels
            log_ml = np.log(voxels * spacing_ml)
        columns: Mapping[str, npt.NDArray[np.float64]] = {
            "certainty": certainty,
            "entropy": entropy,
            "log_ml": log_ml,
            **{name: agreement.dsc() for name, agreement in self.agreements.items()},
        }
        return [{name: float(column[k]) for name, column in columns.items()} for k in range(self.voxels.shape[1])]


def _overlap(one: Patch, other: Patch) -> float:
    """Sum of the smaller of two probabilities."""
    top, left = max(one.top, other.top), max(one.left, other.left)
    bottom = min(one.place[0].stop, other.place[0].stop)
    right = min(one.place[1].stop, other.place[1].stop)
    if top >= bottom or left >= right:
        return 0.0
    overlapping = (p.values[top - p.top : bottom - p.top, left - p.left : right - p.left] for p in (one, other))
    return float(np.minimum(*overlapping).sum())


def _entropy_bits(probabilities: npt.NDArray[np.float32]) -> float:
    p = np.clip(probabilities, 1e-6, 1 - 1e-6)
    return float(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)).sum())
