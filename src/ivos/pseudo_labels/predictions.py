"""Several predictions of a case, from the files in which they lie."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ivos.errors import InputError
from ivos.training.data.raw import dataset_names
from ivos.volume.dicom_labels import holds_dicom_labels
from ivos.volume.label_matching import in_one_numbering
from ivos.volume.labels import with_ignore
from ivos.volume.probabilities import PROBABILITIES, read_probabilities, read_probability
from ivos.volume.read import read, read_labels
from ivos.volume.volume import on_grid_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ivos.volume.label_matching import By
    from ivos.volume.volume import Array, Volume

_log = logging.getLogger(__name__)

_NAMED = 5  # labels in a message


def read_predictions(
    paths: Sequence[Path],
    scan: Path | None = None,
    *,
    by: By = "auto",
    note: Callable[[str], None] = _log.warning,
) -> list[Volume]:
    """The labels of one case, all in the orientation and under the label ids of the first.

    Args:
        paths: their files.
        scan: the scan that they lie on: a DICOM file of labels has only the slices that something is on.
        by: what tells which labels are the same structure: see :func:`ivos.volume.label_matching.matched_ids`.
        note: is called with a sentence where names have decided.

    Raises:
        InputError: what reading refuses, grids that differ, or names that contradict each other.
    """
    grid = read(scan) if scan is not None and any(map(holds_dicom_labels, paths)) else None
    first = read_prediction(paths[0], grid)
    others = (on_grid_of(read_prediction(path, first), first, str(path)) for path in paths[1:])
    return in_one_numbering([first, *others], paths, by, note)


def read_prediction(path: Path, scan: Volume | None = None) -> Volume:
    """Labels in which 255 is the one id that says nothing, whichever id the file has for it.

    What is named "ignore" in the file itself counts, or in the ``dataset.json`` that nnU-Net puts beside predictions.

    Args:
        path: of the file.
        scan: on whose grid a DICOM file is put.

    Raises:
        InputError: what reading refuses.
    """
    return with_ignore(read_labels(path, scan=scan), dataset_names(path.parent / "dataset.json"))


def refuse_other_numbering(sentence: str) -> None:
    """What to do with a note of :func:`read_predictions` where probabilities are joined too: their files have ids.

    Raises:
        InputError: always.
    """
    raise InputError(f"{sentence}; probabilities are joined by id: bring all to one numbering, or take --by id")


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
            raise InputError(f"{place}: no probabilities of labels that others have them of: {some}")
    return {label: _maps([files[label] for files in found], labels) for label in everywhere}


def _maps(paths: Sequence[Path], labels: Volume) -> Iterator[Array]:
    for path in paths:
        yield read_probability(path, labels)
