"""Labels against labels: every structure of a case, every case of a folder."""

from __future__ import annotations

import math
import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ivos.errors import InputError
from ivos.metrics import flare22
from ivos.metrics.overlap import dsc
from ivos.metrics.surface import hd95_mm, nsd
from ivos.volume.box import bounding_box
from ivos.volume.cases import labels_by_case
from ivos.volume.checks import checked_labels
from ivos.volume.labels import IGNORE, structures_in
from ivos.volume.read_pair import read_pair
from ivos.volume.volume import on_grid_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from ivos.volume.volume import Volume

    Mask = npt.NDArray[np.bool_]

Protocol = Literal["standard", "flare22", "flare22-corrected"]
"""By which rules DSC and NSD are computed: the plain definitions, the FLARE22 challenge's, those less their error."""

_METRICS = ("dsc", "nsd", "hd95_mm")


@dataclass(frozen=True)
class Score:
    """How one structure of one case compares with the truth.

    Attributes:
        case: the case's name.
        structure: label id.
        name: the structure's name.
        dsc: Dice similarity coefficient; where the structure is in neither, NaN, in the FLARE22 protocol 1.
        nsd: normalised surface Dice at the tolerance asked for, or the protocol's; likewise.
        hd95_mm: 95th percentile Hausdorff distance; infinite where the structure is in one of the two alone, NaN where
            it is in neither.
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
    protocol: Protocol = "standard",
    tolerance_mm: float = 2.0,
    structures: Sequence[int] | None = None,
    names: Mapping[int, str] | None = None,
    case: str = "",
) -> list[Score]:
    """Compare two label volumes, structure by structure.

    Args:
        prediction: labels; in any axis order, on the same grid of points as the truth.
        truth: labels; its voxels of label :data:`~ivos.volume.labels.IGNORE` count in neither.
        protocol: the rules of DSC and NSD; HD95 and volumes are the same in all.
        tolerance_mm: tolerance of the NSD in the standard protocol; FLARE22 has its own (:mod:`ivos.metrics.flare22`).
        structures: label ids; by default all that are in either, in FLARE22 all 13.
        names: names of label ids, instead of those in the files.
        case: the case's name in the scores.

    Raises:
        InputError: the grids differ; what :func:`ivos.read_labels` would refuse; FLARE22: the labels or structures are
            not of its scheme.
    """
    prediction, truth = checked_labels(prediction, case or "prediction"), checked_labels(truth, f"{case} truth".strip())
    prediction, truth = _where_told(on_grid_of(prediction, truth, case or "prediction"), truth)
    if protocol == "standard":
        own_names = {**prediction.names, **truth.names}
        present = structures_in(np.union1d(prediction.array, truth.array))
    else:
        flare22.check_labels(prediction, f"{case} prediction".strip(), names)
        flare22.check_labels(truth, f"{case} truth".strip(), names)
        flare22.check_organs(structures or [], "structures")
        own_names, present = flare22.ORGANS, list(flare22.ORGANS)
    called = names or own_names
    ids = present if structures is None else structures
    spacing_mm, voxel_ml = truth.geometry.spacing_mm, truth.geometry.voxel_volume_ml
    scores = []
    for structure in ids:
        found, true = prediction.array == structure, truth.array == structure
        box = bounding_box(found | true, margin=1)
        if box is not None:
            found, true = found[box], true[box]
        if protocol == "standard":
            overlap, surface = dsc(found, true), nsd(found, true, spacing_mm, tolerance_mm)
        else:
            overlap, surface = _by_flare22(found, true, truth, structure, corrected=protocol == "flare22-corrected")
        scores.append(
            Score(
                case=case,
                structure=structure,
                name=called.get(structure, f"label {structure}"),
                dsc=overlap,
                nsd=surface,
                hd95_mm=hd95_mm(found, true, spacing_mm),
                volume_ml=float(found.sum()) * voxel_ml,
                true_volume_ml=float(true.sum()) * voxel_ml,
            )
        )
    return scores


def _where_told(prediction: Volume, truth: Volume) -> tuple[Volume, Volume]:
    """Both without the voxels of which the truth says nothing."""
    ignored = truth.array == IGNORE
    if not ignored.any():
        return prediction, truth
    told = [volume.with_array(np.where(ignored, 0, volume.array), volume.names) for volume in (prediction, truth)]
    return told[0], told[1]


def _by_flare22(found: Mask, true: Mask, truth: Volume, organ: int, *, corrected: bool) -> tuple[float, float]:
    """DSC and NSD in the axis order of the truth's file: the script's first and last slice are the file's."""
    in_file = truth.to_source.array
    return flare22.dsc_and_nsd(in_file(found), in_file(true), truth.source.spacing_mm, organ, corrected=corrected)


def paired(prediction: Path, truth: Path) -> dict[str, tuple[Path, Path]]:
    """Prediction and truth of every case in a folder of true labels, by name and in the order of names.

    Raises:
        InputError: no labels, or a case without a prediction.
    """
    predictions, truths = (labels_by_case(folder) for folder in (prediction, truth))
    missing = sorted(set(truths) - set(predictions))
    if missing:
        some = ", ".join(missing[:3]) + ", ..." * (len(missing) > 3)
        raise InputError(f"{prediction}: no prediction for {len(missing)} of {len(truths)} cases: {some}")
    return {case: (predictions[case], path) for case, path in sorted(truths.items())}


def evaluate_folders(
    prediction: Path,
    truth: Path,
    *,
    protocol: Protocol = "standard",
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
    pairs = paired(prediction, truth)
    scores: list[Score] = []
    for number, (case, files) in enumerate(pairs.items(), start=1):
        found, true = read_pair(*files, structures=structures, names=names)
        scores += evaluate(
            found,
            true,
            protocol=protocol,
            tolerance_mm=tolerance_mm,
            structures=structures,
            names=names,
            case=case,
        )
        if progress is not None:
            progress(number, len(pairs))
    return scores


def by_structure(scores: Sequence[Score]) -> list[list[Score]]:
    """The scores of each structure over all cases, by ascending label id."""
    structures = sorted({score.structure for score in scores})
    return [[score for score in scores if score.structure == structure] for structure in structures]


def means(scores: Sequence[Score]) -> dict[str, float]:
    """Mean DSC, NSD and HD95 over all scores, leaving out what is not a number; an infinite distance is left out too.

    A structure that is in one of the two alone counts with DSC and NSD 0; one in neither does not count, but does in
    the FLARE22 protocol.
    """
    return {metric: _mean(values) for metric, values in _finite(scores).items()}


def deviations(scores: Sequence[Score]) -> dict[str, float]:
    """Sample standard deviation (n - 1) of what :func:`means` takes the mean of; NaN for fewer than two figures."""
    return {
        metric: statistics.stdev(values) if len(values) > 1 else float("nan")
        for metric, values in _finite(scores).items()
    }


def _finite(scores: Sequence[Score]) -> dict[str, list[float]]:
    return {
        metric: [value for score in scores if math.isfinite(value := getattr(score, metric))] for metric in _METRICS
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")


def as_rows(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """Scores as plain dictionaries for JSON and CSV; None for what is not a finite number."""
    return [{key: finite_or_none(value) for key, value in asdict(score).items()} for score in scores]


def finite_or_none(value: Any) -> Any:
    """None for NaN and infinity, which JSON does not have."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
