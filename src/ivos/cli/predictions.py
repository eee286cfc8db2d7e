"""Several folders with predictions of the same cases, as some commands take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivos.cli.cases import named
from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ivos.volume.volume import Array, Volume


def check_folders(predictions: Sequence[Path], output: Path) -> None:
    """Refuse a prediction that is given twice, and an output that is an input or a file.

    Raises:
        InputError: one of these.
    """
    resolved = [folder.resolve() for folder in predictions]
    for number, folder in enumerate(resolved):
        if folder in resolved[:number]:
            raise InputError(f"{predictions[number]}: is given twice; every prediction counts once")
    if output.resolve() in resolved:
        raise InputError(f"{output}: is an input of this command; give the output another name")
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; give the name of a folder")


def cases_of(predictions: Sequence[Path]) -> dict[str, list[Path]]:
    """The label files of each case, one of each prediction.

    Raises:
        InputError: a folder has no labels, or lacks cases that others have.
    """
    from ivos.volume.cases import labels_by_case

    found = [labels_by_case(folder) for folder in predictions]
    everywhere = sorted({case for files in found for case in files})
    for folder, files in zip(predictions, found, strict=True):
        missing = [case for case in everywhere if case not in files]
        if missing:
            raise InputError(
                f"{folder}: no labels of {len(missing)} of {len(everywhere)} cases that others have: {named(missing)}"
            )
    return {case: [files[case] for files in found] for case in everywhere}


def read_predictions(paths: Sequence[Path], scan: Path | None = None) -> list[Volume]:
    """The labels of one case, all in the orientation of the first.

    Args:
        paths: their files.
        scan: the scan that they lie on: a DICOM file of labels has only the slices that something is on.

    Raises:
        InputError: what reading refuses, or grids that differ.
    """
    from ivos.volume.dicom_labels import holds_dicom_labels
    from ivos.volume.read import read
    from ivos.volume.volume import on_grid_of

    grid = read(scan) if scan is not None and any(map(holds_dicom_labels, paths)) else None
    first = read_prediction(paths[0], grid)
    return [first, *(on_grid_of(read_prediction(path, first), first, str(path)) for path in paths[1:])]


def read_prediction(path: Path, scan: Volume | None = None) -> Volume:
    """Labels in which 255 is the one id that says nothing, whichever id the file has for it.

    What is named "ignore" in the file itself counts, or in the ``dataset.json`` that nnU-Net puts beside predictions.

    Args:
        path: of the file.
        scan: on whose grid a DICOM file is put.

    Raises:
        InputError: what reading refuses.
    """
    from ivos.training.data.raw import dataset_names
    from ivos.volume.labels import with_ignore
    from ivos.volume.read import read_labels

    return with_ignore(read_labels(path, scan=scan), dataset_names(path.parent / "dataset.json"))


def check_probabilities(predictions: Sequence[Path]) -> None:
    """Say it before the first case, and not once for each, if a prediction has no probabilities at all.

    Raises:
        InputError: one has none.
    """
    from ivos.volume.probabilities import PROBABILITIES

    for folder in predictions:
        if not (folder / PROBABILITIES).is_dir():
            raise InputError(
                f"{folder}: has no {PROBABILITIES}/; 'ivos segment --probabilities all' makes it; or take another rule"
            )


def probabilities_of(predictions: Sequence[Path], case: str, labels: Volume) -> dict[int, Iterator[Array]]:
    """The probabilities of each structure of a case, one map (Z, Y, X) of each prediction, read as they are taken.

    Raises:
        InputError: a prediction has none of the case, or lacks a structure that others have.
    """
    from ivos.volume.probabilities import PROBABILITIES, read_probabilities

    found = [read_probabilities(folder, case) for folder in predictions]
    everywhere = sorted({label for files in found for label in files})
    for folder, files in zip(predictions, found, strict=True):
        missing = [str(label) for label in everywhere if label not in files]
        if missing:
            place = folder / PROBABILITIES / case
            raise InputError(f"{place}: no probabilities of labels that others have them of: {named(missing)}")
    return {label: _maps([files[label] for files in found], labels) for label in everywhere}


def _maps(paths: Sequence[Path], labels: Volume) -> Iterator[Array]:
    from ivos.volume.probabilities import read_probability

    for path in paths:
        yield read_probability(path, labels)
