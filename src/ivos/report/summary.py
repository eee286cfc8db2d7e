"""What a result holds, in figures."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ivos.propagation.label_result import LabelResult


def structure_rows(result: LabelResult) -> list[dict[str, Any]]:
    """What a result holds of each structure: label, name, volume in mL, slices, mean probability of its voxels."""
    labels, confidence = result.labels, result.confidence.array
    voxels: Counter[int] = Counter()
    slices: Counter[int] = Counter()
    sure: Counter[int] = Counter()
    planes = zip(np.moveaxis(labels.array, result.axis, 0), np.moveaxis(confidence, result.axis, 0), strict=True)
    for plane, certain in planes:  # all structures in one look, or many of them would cost as many looks at the volume
        present, where = np.unique(plane, return_inverse=True)
        counts = np.bincount(where.ravel())
        sums = np.bincount(where.ravel(), weights=certain.ravel())  # whole numbers: exact
        for label, count, total in zip(present.tolist(), counts.tolist(), sums.tolist(), strict=True):
            voxels[label] += count
            slices[label] += 1
            sure[label] += round(total)
    return [
        {
            "label": label,
            "name": labels.names.get(label, f"label {label}"),
            "volume_ml": round(voxels[label] * labels.geometry.voxel_volume_ml, 3),
            "slices": slices[label],
            "probability": round(sure[label] / voxels[label] / 255, 4),
        }
        for label in sorted(voxels)
        if label
    ]
