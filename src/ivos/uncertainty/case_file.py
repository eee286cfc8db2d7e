"""Files of quality features, one per case: ``FOLDER/evidence/CASE.json``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from ivos.errors import InputError
from ivos.files import entries_of, replacing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EVIDENCE = "evidence"
"""The folder of them, beside the labels."""


class CaseEvidence(BaseModel):
    """What an estimate of a case's DSCs goes by.

    Attributes:
        made_by: what made the segmentation.
        structures: :meth:`ivos.uncertainty.features.QualityFeatures.figures` by label id, of found structures;
            None for what is not a number.
    """

    model_config = ConfigDict(frozen=True)

    made_by: str
    structures: dict[int, dict[str, float | None]]

    def figures(self, structure: int) -> dict[str, float]:
        """Of a structure; NaN for what is not a number."""
        return {name: math.nan if value is None else value for name, value in self.structures[structure].items()}


def write_evidence(folder: Path, case: str, made_by: str, structures: Mapping[int, Mapping[str, float]]) -> None:
    """Write the evidence for a case.

    Args:
        folder: the folder with the labels.
        case: the case's name.
        made_by: what made the segmentation.
        structures: figures by label id, of structures that were found.

    Raises:
        InputError: the folder cannot be written to.
    """
    plain = {
        label: {name: value if math.isfinite(value) else None for name, value in figures.items()}
        for label, figures in structures.items()
    }
    with replacing(folder / EVIDENCE / f"{case}.json") as path:
        path.write_text(CaseEvidence(made_by=made_by, structures=plain).model_dump_json(indent=1), encoding="utf-8")


def read_evidence(folder: Path) -> dict[str, CaseEvidence]:
    """The evidence for all cases of a folder of labels, by case.

    Raises:
        InputError: no files, a damaged one, or segmentations with different weights or settings.
    """
    place = folder / EVIDENCE
    paths = [path for path in entries_of(place) if path.suffix == ".json"] if place.is_dir() else []
    if not paths:
        raise InputError(f"{folder / EVIDENCE}: no quality features; 'ivos segment --quality-features' writes them")
    found = {path.stem: _read(path) for path in paths}
    if len({case.made_by for case in found.values()}) > 1:
        raise InputError(
            f"{folder / EVIDENCE}: from segmentations with different weights or settings; segment all cases again"
        )
    return found


def _read(path: Path) -> CaseEvidence:
    try:
        return CaseEvidence.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise InputError(f"{path}: not a file of quality features; segment the case again") from error
