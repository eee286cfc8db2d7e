"""Read several predictions of a case."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from ivos.errors import InputError
from ivos.io.dicom.labels import holds_dicom_labels
from ivos.io.probabilities import PROBABILITIES, read_probabilities, read_probability
from ivos.io.read import read, read_labels
from ivos.volume.label_matching import in_one_numbering
from ivos.volume.labels import (
    IGNORE_NAME,
    ignore_id,
    ignored_ids,
    ignored_in,
    ignoring,
    structures_in,
    without_ignored,
)
from ivos.volume.volume import on_grid_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ivos.types import Array
    from ivos.volume.label_matching import By
    from ivos.volume.volume import Volume

_log = logging.getLogger(__name__)

_NAMED = 5  # labels in a message


def read_predictions(
    paths: Sequence[Path],
    scan: Path | None = None,
    *,
    by: By = "auto",
    ignore: int | None = None,
    note: Callable[[str], None] = _log.warning,
) -> list[Volume]:
    """The labels of one case, all in the orientation and under the label ids of the first.

    What is ignored has one id in all of them, which is no structure's.

    Args:
        paths: their files.
        scan: the scan that they lie on: a DICOM file of labels has only the slices that something is on.
        by: what tells which labels are the same structure: see :func:`ivos.volume.label_matching.matched_ids`.
        ignore: the label that a person says is "ignore".
        note: is called with a sentence where names have decided.

    Raises:
        InputError: what reading refuses, grids that differ, or names that contradict each other.
    """
    grid = read(scan) if scan is not None and any(map(holds_dicom_labels, paths)) else None
    first = ignoring(read_labels(paths[0], scan=grid), ignore)
    others = (on_grid_of(ignoring(read_labels(path, scan=first), ignore), first, str(path)) for path in paths[1:])
    return _with_one_ignore(in_one_numbering([first, *others], paths, by, note))


def _with_one_ignore(labels: Sequence[Volume]) -> list[Volume]:
    """Labels in which what is ignored has one id, which is no structure's in any of them."""
    if not any(ignored_ids(volume.names) for volume in labels):
        return list(labels)
    structures = [without_ignored(volume) for volume in labels]
    label = ignore_id(n for volume in structures for n in (*structures_in(volume.array), *volume.names))
    joined = []
    for volume, kept in zip(labels, structures, strict=True):
        ignored = ignored_in(volume)
        array = np.where(ignored, np.min_scalar_type(label).type(label), kept.array) if ignored.any() else kept.array
        joined.append(kept.with_array(array, {**kept.names, label: IGNORE_NAME} if ignored.any() else kept.names))
    return joined


def refuse_other_numbering(sentence: str) -> None:
    """What to do with a note of :func:`read_predictions` where probabilities are joined too: their files have ids.

    Raises:
        InputError: always.
    """
    raise InputError(f"{sentence}; probabilities are combined by label id: use one numbering in all files, or --by id")


def probabilities_of(predictions: Sequence[Path], case: str, labels: Volume) -> dict[int, Iterator[Array]]:
    """The probabilities of each structure of a case, one map (Z, Y, X) of each prediction, read as they are taken.

    Raises:
        InputError: a prediction has none of the case, or lacks a structure that others have.
    """
    found = [read_probabilities(folder, case) for folder in predictions]
    everywhere = sorted({label for files in found for label in files})
    for folder, files in zip(predictions, found, strict=True):
        missing = [str(label) for label in everywhere if label not in files]
        if missing:
            place, some = folder / PROBABILITIES / case, ", ".join(missing[:_NAMED])
            raise InputError(f"{place}: lacks probabilities that other predictions have, of labels: {some}")
    return {label: _maps([files[label] for files in found], labels) for label in everywhere}


def _maps(paths: Sequence[Path], labels: Volume) -> Iterator[Array]:
    for path in paths:
        yield read_probability(path, labels)
