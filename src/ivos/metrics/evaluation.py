"""Labels against labels: every structure of a case, every case of a folder."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ivos.errors import InputError
from ivos.metrics.overlap import dsc
from ivos.metrics.surface import hd95_mm, nsd
from ivos.volume.box import bounding_box
from ivos.volume.cases import files_by_case
from ivos.volume.read import read_labels
from ivos.volume.volume import on_grid_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ivos.volume.volume import Volume


@dataclass(frozen=True)
class Score:
    """How one structure of one case compares with the truth.

    Attributes:
        case: the case's name.
        structure: label id.
        name: the structure's name.
        dsc: Dice similarity coefficient; NaN where the structure is in neither.
        nsd: normalised surface Dice at the tolerance asked for; NaN likewise.
        hd95_mm: 95th percentile Hausdorff distance; infinite where the structure is in one of the two alone.
        volume_ml: volume in the prediction.
        true_volume_ml: volume in the truth.
    """

    case: str
    structure: int
    name: str
    dsc: float
    nsd: float
    hd95_mm: float
    volume_ml: float
    true_volume_ml: float


def evaluate(
    prediction: Volume,
    truth: Volume,
    *,
    tolerance_mm: float = 2.0,
    structures: Sequence[int] | None = None,
    names: Mapping[int, str] | None = None,
    case: str = "",
) -> list[Score]:
    """Compare two label volumes, structure by structure.

    Args:
        prediction: labels; in any axis order, on the same grid of points as the truth.
        truth: labels.
        tolerance_mm: tolerance of the NSD.
        structures: label ids; by default all that are in either.
        names: names of label ids, instead of those in the files.
        case: the case's name in the scores.

    Raises:
        InputError: the grids differ.
    """
    prediction = on_grid_of(prediction, truth, case or "prediction")
    called = names or {**prediction.names, **truth.names}
    if structures is None:
        structures = [int(label) for label in np.union1d(prediction.array, truth.array) if label]
    spacing_mm, voxel_ml = truth.geometry.spacing_mm, truth.geometry.voxel_volume_ml
    scores = []
    for structure in structures:
        found, true = prediction.array == structure, truth.array == structure
        box = bounding_box(found | true, margin=1)
        if box is not None:
            found, true = found[box], true[box]
        scores.append(
            Score(
                case=case,
                structure=structure,
                name=called.get(structure, f"label {structure}"),
                dsc=dsc(found, true),
                nsd=nsd(found, true, spacing_mm, tolerance_mm),
                hd95_mm=hd95_mm(found, true, spacing_mm),
                volume_ml=float(found.sum()) * voxel_ml,
                true_volume_ml=float(true.sum()) * voxel_ml,
            )
        )
    return scores


def evaluate_folders(
    prediction: Path,
    truth: Path,
    *,
    tolerance_mm: float = 2.0,
    structures: Sequence[int] | None = None,
    names: Mapping[int, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Score]:
    """Compare every case in a folder of true labels with the file of that name in a folder of predictions.

    Suffixes may differ; predictions without a truth are left alone.

    Raises:
        InputError: no labels, a case without a prediction, or what :func:`evaluate` and reading refuse.
    """
    predictions, truths = (files_by_case(folder, "label") for folder in (prediction, truth))
    missing = sorted(set(truths) - set(predictions))
    if missing:
        some = ", ".join(missing[:3]) + ", ..." * (len(missing) > 3)
        raise InputError(f"{prediction}: no prediction for {len(missing)} of {len(truths)} cases: {some}")
    scores: list[Score] = []
    for number, (case, path) in enumerate(sorted(truths.items()), start=1):
        true, found = read_labels(path), read_labels(predictions[case])
        scores += evaluate(found, true, tolerance_mm=tolerance_mm, structures=structures, names=names, case=case)
        if progress is not None:
            progress(number, len(truths))
    return scores


def means(scores: Sequence[Score]) -> dict[str, float]:
    """Mean DSC, NSD and HD95 over all scores, leaving out what is not a number; an infinite distance is left out too.

    A structure that is in one of the two alone counts with DSC and NSD 0; one in neither does not count.
    """
    return {metric: _mean([getattr(score, metric) for score in scores]) for metric in ("dsc", "nsd", "hd95_mm")}


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else float("nan")


def as_rows(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """Scores as plain dictionaries for JSON and CSV; None for what is not a finite number."""
    return [{key: finite_or_none(value) for key, value in asdict(score).items()} for score in scores]


def finite_or_none(value: Any) -> Any:
    """None for NaN and infinity, which JSON does not have."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
