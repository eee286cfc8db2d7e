"""Several folders with predictions of the same cases, as some commands take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivos.cli.cases import named
from ivos.errors import InputError, counted
from ivos.files import check_writable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def check_folders(predictions: Sequence[Path], output: Path, *others: Path | None) -> None:
    """Refuse a prediction that is given twice, and an output that is an input, a file, or where nothing can be written.

    Args:
        predictions: folders of them.
        output: where results go.
        others: further inputs, as far as they are given.

    Raises:
        InputError: one of these.
    """
    resolved = [folder.resolve() for folder in predictions]
    for number, folder in enumerate(resolved):
        if folder in resolved[:number]:
            raise InputError(f"{predictions[number]}: is given twice; every prediction counts once")
    if output.resolve() in [*resolved, *(folder.resolve() for folder in others if folder is not None)]:
        raise InputError(f"{output}: is an input of this command; give the output another name")
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; give the name of a folder")
    check_writable(output, "-o")


def cases_of(predictions: Sequence[Path]) -> dict[str, list[Path]]:
    """The label files of each case, one of each prediction.

    Raises:
        InputError: a folder has no labels, or lacks cases that others have.
    """
    from ivos.io.cases import labels_by_case

    found = [labels_by_case(folder) for folder in predictions]
    everywhere = sorted({case for files in found for case in files})
    for folder, files in zip(predictions, found, strict=True):
        missing = [case for case in everywhere if case not in files]
        if missing:
            raise InputError(
                f"{folder}: no labels of {len(missing)} of {counted(len(everywhere), 'case')} that others have: "
                f"{named(missing)}"
            )
    return {case: [files[case] for files in found] for case in everywhere}


def check_probabilities(predictions: Sequence[Path]) -> None:
    """Say it before the first case, and not once for each, if a prediction has no probabilities at all.

    Raises:
        InputError: one has none.
    """
    from ivos.io.probabilities import PROBABILITIES

    for folder in predictions:
        if not (folder / PROBABILITIES).is_dir():
            raise InputError(
                f"{folder}: has no {PROBABILITIES}/; 'ivos segment --probabilities all' makes it; or take another rule"
            )
