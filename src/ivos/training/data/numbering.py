"""Bring the label files of a cohort to one numbering, by the names in their headers."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ivos.errors import InputError
from ivos.io.label_names import label_names
from ivos.training.data.raw import Refusal
from ivos.volume.label_matching import Numbering, Table, changes, scheme_ids
from ivos.volume.labels import apply_mapping

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ivos.training.data.raw import RawCase
    from ivos.volume.volume import Volume

_log = logging.getLogger(__name__)

_REMEDY = "bring the labels of all cases to one numbering, or say what it is in a dataset.json"


def match_numbering(cases: Sequence[RawCase], names: Mapping[int, str]) -> tuple[list[RawCase], list[Refusal]]:
    """Find the cases whose label files number their structures differently, as 3D Slicer does in every file.

    Args:
        cases: of the cohort.
        names: by label id, where the data set says them; otherwise the first case's numbering is taken.

    Returns:
        The cases, with other label ids for those that need them, and those whose names contradict the others'.
    """
    numbering = Numbering(remedy=_REMEDY, what="the cases before")
    found, refused, moved = [], [], []
    for case in cases:
        table = None if case.labels is None else _table(case.labels)
        try:
            ids = None
            if table is not None and table.names:
                ids = scheme_ids(table, names) if names else numbering.ids_of(table)
        except InputError as error:
            refused.append(Refusal(case=case.name, reason=str(error)))
            continue
        if ids is not None and table is not None:
            moved.append(changes(table, ids, "dataset.json" if names else numbering.what))
        found.append(case if ids is None else replace(case, ids=ids))
    if moved:
        more = f" (and {len(moved) - 1} more files)" if len(moved) > 1 else ""
        _log.warning("%s%s", moved[0], more)
    return found, refused


def renumber(labels: Volume, case: RawCase) -> Volume:
    """The labels of a case under the cohort's ids."""
    if case.ids is None:
        return labels
    ids = {int(label): case.ids.get(int(label), int(label)) for label in np.unique(labels.array) if label}
    names = {case.ids.get(label, label): name for label, name in labels.names.items()}
    return labels.with_array(apply_mapping(labels.array, ids), names)


def names_in_file(case: RawCase) -> dict[int, str]:
    """The names in the header of a case's label file under the cohort's ids."""
    if case.labels is None:
        return {}
    ids = case.ids or {}
    return {ids.get(label, label): name for label, name in label_names(case.labels).items()}


def _table(path: Path) -> Table:
    names = label_names(path)
    return Table(str(path), names, lambda: list(names))
