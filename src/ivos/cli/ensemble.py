"""`ivos ensemble`: several predictions of the same cases into one."""

from __future__ import annotations

import logging
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivos.cli.cases import each_case, named
from ivos.cli.terminal import print_line, progress_bar
from ivos.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ivos.consensus import Consensus
    from ivos.volume.volume import Array, Volume

logger = logging.getLogger(__name__)


class RuleChoice(str, Enum):
    """How several predictions become one."""

    majority = "majority"
    staple = "staple"
    mean_probability = "mean-probability"


def ensemble(
    predictions: Annotated[list[Path], typer.Argument(help="Two folders or more with label files of the same names.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the joined label files.")],
    rule: Annotated[
        RuleChoice,
        typer.Option(help="Vote; STAPLE; the highest mean of the probabilities that ivos segment wrote beside labels."),
    ] = RuleChoice.majority,
    uncertainty: Annotated[
        bool,
        typer.Option("--uncertainty", help="Also write which share of predictions has another label, 0 to 255."),
    ] = False,
) -> None:
    """Join predictions of the same cases into one folder of labels.

    Beside the labels of CASE goes uncertainty/CASE.nii.gz where it is asked for.
    """
    from ivos.volume.write import write_volume

    _check_folders(predictions, output)
    cases = _cases(predictions)
    if rule is RuleChoice.mean_probability:
        _check_probabilities(predictions)
    if rule is RuleChoice.majority and len(predictions) == 2:
        logger.warning("a vote of two is decided by the first wherever they differ: give three, or another --rule")

    def work(case: str) -> None:
        labels = _read(cases[case])
        consensus = _joined(rule, labels, predictions, case)
        if uncertainty:
            doubt = consensus.agreement.with_array(255 - consensus.agreement.array)
            write_volume(output / "uncertainty" / f"{case}.nii.gz", doubt)
        write_volume(output / f"{case}.nii.gz", consensus.labels)

    with progress_bar("Joining") as progress:
        each_case(cases, work, progress)
    print_line(f"{len(cases)} cases, each from {len(predictions)} predictions by {rule.value}: {output}")


def _check_folders(predictions: Sequence[Path], output: Path) -> None:
    if len(predictions) < 2:
        raise InputError(f"{predictions[0]}: give two folders of predictions or more")
    resolved = [folder.resolve() for folder in predictions]
    for number, folder in enumerate(resolved):
        if folder in resolved[:number]:
            raise InputError(f"{predictions[number]}: is given twice; every prediction counts once")
    if output.resolve() in resolved:
        raise InputError(f"{output}: is an input of this command; give the output another name")
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; give the name of a folder")


def _cases(predictions: Sequence[Path]) -> dict[str, list[Path]]:
    """The label files of each case, one of each prediction."""
    from ivos.volume.cases import files_by_case

    found = [files_by_case(folder, "label") for folder in predictions]
    everywhere = sorted({case for files in found for case in files})
    for folder, files in zip(predictions, found, strict=True):
        missing = [case for case in everywhere if case not in files]
        if missing:
            raise InputError(
                f"{folder}: no labels of {len(missing)} of {len(everywhere)} cases that others have: {named(missing)}"
            )
    return {case: [files[case] for files in found] for case in everywhere}


def _check_probabilities(predictions: Sequence[Path]) -> None:
    """Say it before the first case, and not once for each, if a prediction has none at all."""
    from ivos.volume.probabilities import PROBABILITIES

    for folder in predictions:
        if not (folder / PROBABILITIES).is_dir():
            raise InputError(
                f"{folder}: has no {PROBABILITIES}/; 'ivos segment --probabilities all' makes it; or take another rule"
            )


def _read(paths: Sequence[Path]) -> list[Volume]:
    from ivos.volume.read import read_labels
    from ivos.volume.volume import on_grid_of

    first = read_labels(paths[0])
    return [first, *(on_grid_of(read_labels(path), first, str(path)) for path in paths[1:])]


def _joined(rule: RuleChoice, labels: Sequence[Volume], predictions: Sequence[Path], case: str) -> Consensus:
    from ivos.consensus import majority, mean_probability, staple

    if rule is RuleChoice.majority:
        return majority(labels)
    if rule is RuleChoice.staple:
        return staple(labels)
    files = _probability_files(predictions, case)
    return mean_probability(labels, {label: _maps(paths, labels[0]) for label, paths in files.items()})


def _probability_files(predictions: Sequence[Path], case: str) -> Mapping[int, list[Path]]:
    """The files of each structure, one of each prediction."""
    from ivos.volume.probabilities import PROBABILITIES, read_probabilities

    found = [read_probabilities(folder, case) for folder in predictions]
    everywhere = sorted({label for files in found for label in files})
    for folder, files in zip(predictions, found, strict=True):
        missing = [str(label) for label in everywhere if label not in files]
        if missing:
            place = folder / PROBABILITIES / case
            raise InputError(f"{place}: no probabilities of labels that others have them of: {named(missing)}")
    return {label: [files[label] for files in found] for label in everywhere}


def _maps(paths: Sequence[Path], labels: Volume) -> Iterator[Array]:
    from ivos.volume.probabilities import read_probability

    for path in paths:
        yield read_probability(path, labels)
