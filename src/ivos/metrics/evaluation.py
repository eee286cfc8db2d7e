"""Evaluation of labels against ground truth: every structure of a case, every case of a folder."""

from __future__ import annotations

import logging
import math
import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ivos.errors import InputError, counted
from ivos.io.cases import labels_by_case
from ivos.io.pairs import read_pair
from ivos.metrics import flare22
from ivos.metrics.overlap import dsc
from ivos.metrics.same_structures import match_cases, match_pair, remove_ignored
from ivos.metrics.surface import hd95_mm, nsd
from ivos.volume.boxes import bounding_box
from ivos.volume.checks import checked_labels
from ivos.volume.label_layers import LabelLayers, layers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from ivos.metrics.flare22 import Protocol
    from ivos.types import Progress
    from ivos.volume.label_matching import By
    from ivos.volume.volume import Volume

    Mask = npt.NDArray[np.bool_]

_METRICS = ("dsc", "nsd", "hd95_mm")
_log = logging.getLogger(__name__)


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
        protocol: by which rules it was computed.
        tolerance_mm: of the NSD.
        matched_by: what matched the labels of prediction and truth, ``"id"`` or ``"name"``.
    """

    case: str
    structure: int
    name: str
    dsc: float
    nsd: float
    hd95_mm: float
    volume_ml: float
    true_volume_ml: float
    protocol: str = "standard"
    tolerance_mm: float = 2.0
    matched_by: str = "id"


def evaluate(
    prediction: Volume | LabelLayers,
    truth: Volume | LabelLayers,
    *,
    protocol: Protocol = "standard",
    tolerance_mm: float = 2.0,
    structures: Sequence[int] | None = None,
    names: Mapping[int, str] | None = None,
    ignore: int | None = None,
    by: By = "auto",
    case: str = "",
    note: Callable[[str], None] = _log.warning,
) -> list[Score]:
    """Compare two label volumes, structure by structure.

    Equal ids are the same structure, unless the names that both have contradict that: then names decide, if all labels
    of one of the two have their counterpart in the other. Structures may overlap.

    Args:
        prediction: labels; in any axis order, on the same grid of points as the truth.
        truth: labels; its voxels that are named "ignore" count in neither.
        protocol: the rules of DSC and NSD; HD95 and volumes are the same in all.
        tolerance_mm: tolerance of the NSD in the standard protocol; FLARE22 has its own (:mod:`ivos.metrics.flare22`).
        structures: label ids of the truth; by default all that are in either, in FLARE22 all 13.
        names: names of label ids, instead of those in the files; what they name "ignore" is ignored too.
        ignore: the label that a person says is "ignore", whatever the files call it.
        by: what tells which labels are the same structure: ``"id"``, ``"name"``, or ``"auto"`` as above.
        case: the case's name in the scores.
        note: is called with a sentence where names have decided.

    Raises:
        InputError: the grids differ; the names contradict each other; what :func:`ivos.read_labels` would refuse;
            FLARE22: the labels or structures are not of its scheme.
    """
    found, true = _check_layers(prediction, case or "prediction"), _check_layers(truth, f"{case} truth".strip())
    if _has_unit(found) and not _has_unit(true):  # tools that lose the unit of micrometres lose no millimetre here
        true = true.on_grid_of(found.layers[0], f"{case} truth".strip())
    else:
        found = found.on_grid_of(true.layers[0], case or "prediction")
    found, true = remove_ignored(found, true, names, ignore)
    found, true, notes = match_pair(found, true, names, by)
    for sentence in notes:
        note(sentence)
    if protocol == "standard":
        own_names: Mapping[int, str] = {**found.names, **true.names}
        present = sorted({*found.ids, *true.ids})
    else:
        _check_flare22(found, true, structures, names, by, case)
        own_names, present = flare22.ORGANS, list(flare22.ORGANS)
    called = names or own_names
    ids = present if structures is None else structures
    grid = true.layers[0]
    spacing_mm, voxel_ml = grid.geometry.spacing_mm, grid.geometry.voxel_volume_ml
    scores = []
    for structure in ids:
        mask, true_mask = found.mask(structure), true.mask(structure)
        box = bounding_box(mask | true_mask, margin=1)
        if box is not None:
            mask, true_mask = mask[box], true_mask[box]
        if protocol == "standard":
            overlap, surface = dsc(mask, true_mask), nsd(mask, true_mask, spacing_mm, tolerance_mm)
        else:
            overlap, surface = _by_flare22(mask, true_mask, grid, structure, corrected=protocol == "flare22-corrected")
        scores.append(
            Score(
                case=case,
                structure=structure,
                name=called.get(structure) or own_names.get(structure) or f"label {structure}",
                dsc=overlap,
                nsd=surface,
                hd95_mm=hd95_mm(mask, true_mask, spacing_mm),
                volume_ml=float(mask.sum()) * voxel_ml,
                true_volume_ml=float(true_mask.sum()) * voxel_ml,
                protocol=protocol,
                tolerance_mm=tolerance_mm
                if protocol == "standard"
                else flare22.TOLERANCE_MM[flare22.ORGANS[structure]],
                matched_by="name" if notes or by == "name" else "id",
            )
        )
    return scores


def _has_unit(labels: LabelLayers) -> bool:
    """Whether their file says in which unit its lengths are; only NIfTI can leave it open."""
    forms = labels.layers[0].nifti
    return forms is None or forms.names_unit


def _check_layers(labels: Volume | LabelLayers, what: str) -> LabelLayers:
    return LabelLayers(tuple(checked_labels(layer, what) for layer in layers_of(labels).layers))


def _check_flare22(
    prediction: LabelLayers,
    truth: LabelLayers,
    structures: Sequence[int] | None,
    names: Mapping[int, str] | None,
    by: By,
    case: str,
) -> None:
    """Refuse what is not of the challenge's scheme; by id, whatever the files call it."""
    for what, labels in (("prediction", prediction), ("truth", truth)):
        for layer in labels.layers:
            unnamed = layer.with_array(layer.array) if by == "id" else layer
            flare22.check_labels(unnamed, f"{case} {what}".strip(), names)
    flare22.check_organs(structures or [], "structures")


def _by_flare22(found: Mask, true: Mask, truth: Volume, organ: int, *, corrected: bool) -> tuple[float, float]:
    """DSC and NSD in the axis order of the truth's file: the script's first and last slice are the file's."""
    in_file = truth.to_source.array
    return flare22.dsc_and_nsd(in_file(found), in_file(true), truth.source.spacing_mm, organ, corrected=corrected)


def common_cases(prediction: Path, truth: Path) -> dict[str, tuple[Path, Path]]:
    """Prediction and truth of the cases that both folders have, by name and in the order of names.

    Raises:
        InputError: no labels, or no case that both have.
    """
    predictions, truths = (labels_by_case(folder) for folder in (prediction, truth))
    found = {case: (predictions[case], path) for case, path in sorted(truths.items()) if case in predictions}
    if not found:
        raise InputError(f"{prediction}: no prediction for {_some(sorted(truths), len(truths))}")
    return found


def missing_cases(prediction: Path, truth: Path) -> list[str]:
    """The cases of a folder of true labels that a folder of predictions lacks, in the order of names."""
    return sorted(set(labels_by_case(truth)) - set(labels_by_case(prediction)))


def _some(cases: Sequence[str], of: int) -> str:
    return f"{len(cases)} of {counted(of, 'case')}: {', '.join(cases[:3])}" + ", ..." * (len(cases) > 3)


def evaluate_folders(
    prediction: Path,
    truth: Path,
    *,
    protocol: Protocol = "standard",
    tolerance_mm: float = 2.0,
    structures: Sequence[int] | None = None,
    names: Mapping[int, str] | None = None,
    ignore: int | None = None,
    by: By = "auto",
    scans: Mapping[str, Path] | None = None,
    progress: Progress | None = None,
    failed: Callable[[str, InputError], None] | None = None,
    note: Callable[[str], None] = _log.warning,
) -> list[Score]:
    """Compare every case in a folder of true labels with the file of that name in a folder of predictions.

    Suffixes may differ; predictions without a truth are left alone.

    Args:
        prediction: folder of label files.
        truth: folder of label files.
        protocol: see :func:`evaluate`, as for the next five.
        tolerance_mm: of the NSD.
        structures: label ids.
        names: of label ids.
        ignore: the label that a person says is "ignore".
        by: what tells which labels are the same structure, in a case and among cases.
        scans: by case, for DICOM files of labels.
        progress: called with cases done and cases to do.
        failed: is called with a case that cannot be compared and the reason; the other cases are compared.
        note: is called with a sentence where names have decided; the same one once.

    Raises:
        InputError: no labels, or no case that both folders have; where ``failed`` is not given, also a case without a
            prediction, and what :func:`evaluate` and reading refuse.
    """
    pairs, missing = common_cases(prediction, truth), missing_cases(prediction, truth)
    if missing and failed is None:
        raise InputError(f"{prediction}: no prediction for {_some(missing, len(missing) + len(pairs))}")
    if failed is not None:
        for case in missing:
            failed(case, InputError(f"{prediction}: no prediction for it"))
    images = scans or {}
    scores: list[Score] = []
    notes: list[str] = []
    for number, (case, files) in enumerate(pairs.items(), start=1):
        try:
            scores += evaluate(
                *read_pair(*files, scan=images.get(case), names=names),
                protocol=protocol,
                tolerance_mm=tolerance_mm,
                structures=structures,
                names=names,
                ignore=ignore,
                by=by,
                case=case,
                note=notes.append,
            )
        except InputError as error:
            if failed is None:
                raise
            failed(case, error)
        if progress is not None:
            progress(number, len(pairs))
    scores, sentence = match_cases(scores, by)
    for text in dict.fromkeys([*notes, *([sentence] if sentence else [])]):
        note(text)
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


def counts(scores: Sequence[Score]) -> dict[str, int]:
    """Over how many figures :func:`means` takes the mean of each metric."""
    return {metric: len(values) for metric, values in _finite(scores).items()}


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
