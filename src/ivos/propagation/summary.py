"""What a result holds, in figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ivos.propagation.propagate import Propagation


def structure_rows(result: Propagation) -> list[dict[str, Any]]:
    """What a result holds of each structure: label, name, volume in mL, slices, mean probability of its voxels."""
    labels, confidence = result.labels, result.confidence.array
    ids = [int(label) for label in np.unique(labels.array) if label]
    others = tuple(axis for axis in range(3) if axis != result.axis)
    rows = []
    for label in ids:
        mask = labels.array == label
        rows.append(
            {
                "label": label,
                "name": labels.names.get(label, f"label {label}"),
                "volume_ml": round(float(mask.sum()) * labels.geometry.voxel_volume_ml, 3),
                "slices": int(mask.any(axis=others).sum()),
                "probability": round(float(confidence[mask].mean()) / 255, 4),
            }
        )
    return rows
