"""Checks that runs are comparable: the same settings, structures, label ids and ground truth."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ivos.errors import InputError
from ivos.volume.label_matching import Numbering, Table, changes, new_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivos.metrics.runs import Run
    from ivos.volume.label_matching import By

_SAME_VOLUME = 0.01  # as a share: what formats and resampling may change


def check_settings(runs: Sequence[Run]) -> None:
    """Refuse runs whose scores were computed in different ways: they differ even where the labels are the same.

    Raises:
        InputError: another protocol, another tolerance of the NSD, or not the same choice of structures.
    """
    for number, run in enumerate(runs):
        for other in runs[:number]:
            _check_pair(other, run)


def _check_pair(one: Run, other: Run) -> None:
    protocols = [{setting.protocol for setting in run.settings.values()} for run in (one, other)]
    if all(protocols) and protocols[0] != protocols[1]:
        first, second = (" and ".join(sorted(found)) for found in protocols)
        raise InputError(
            f"the protocol is {first} in {one.name} and {second} in {other.name}: evaluate both with the same "
            "--protocol"
        )
    for structure in sorted(set(one.settings) & set(other.settings)):
        first_mm, second_mm = (run.settings[structure].tolerance_mm for run in (one, other))
        if first_mm is not None and second_mm is not None and abs(first_mm - second_mm) > 1e-6:
            raise InputError(
                f"the NSD of structure {structure} has a tolerance of {first_mm:g} mm in {one.name} and "
                f"{second_mm:g} mm in {other.name}: evaluate both with the same --tolerance"
            )
    for run, lacking in ((one, other), (other, one)):
        lost = _unscored_structures(run, lacking)
        if lost:
            some = ", ".join(f"{label} ({run.names.get(label) or f'label {label}'})" for label in lost[:3])
            raise InputError(
                f"structure {some} is scored in {run.name} but not in {lacking.name}, although the truth has it: "
                "evaluate both with the same --structures and the same truth"
            )


def _unscored_structures(run: Run, other: Run) -> list[int]:
    """Structures that the truth of shared cases has and that only the first of two runs has scored."""
    if not other.true_volumes_ml:
        return []
    scored = {structure for of_case in other.scores.values() for structure in of_case}
    cases = set(run.true_volumes_ml) & set(other.scores)
    there = {s for case in cases for s, volume in run.true_volumes_ml[case].items() if volume > 0}
    return sorted(there - scored)


def cases_with_other_truth(runs: Sequence[Run]) -> list[str]:
    """The cases in which a structure's true volume is not the same in all runs that have it."""
    found = set()
    for number, run in enumerate(runs):
        for other in runs[:number]:
            for case in set(run.true_volumes_ml) & set(other.true_volumes_ml):
                mine, theirs = run.true_volumes_ml[case], other.true_volumes_ml[case]
                pairs = [(mine[s], theirs[s]) for s in set(mine) & set(theirs)]
                if any(abs(a - b) > _SAME_VOLUME * max(a, b) for a, b in pairs):
                    found.add(case)
    return sorted(found)


def in_one_numbering(runs: Sequence[Run], by: By) -> tuple[list[Run], dict[int, str], list[str]]:
    """Runs under the label ids of the first, where their names say that they number structures differently.

    Returns:
        The runs, the names of all structures by ascending id, and a sentence on each run that was given other ids.

    Raises:
        InputError: names contradict each other.
    """
    numbering = Numbering(by=by)
    found, notes = [], []
    for run in runs:
        table = Table(run.name, run.names, lambda run=run: list(run.names))  # type: ignore[misc]
        ids = numbering.ids_of(table)
        if ids is not None:
            notes.append(changes(table, ids, runs[0].name))
            run = replace(
                run,
                scores={case: {ids[s]: score for s, score in of.items()} for case, of in run.scores.items()},
                settings={ids[s]: setting for s, setting in run.settings.items()},
                true_volumes_ml={case: {ids[s]: v for s, v in of.items()} for case, of in run.true_volumes_ml.items()},
                names=new_names(run.names, ids),
            )
        found.append(run)
    structures = sorted({structure for run in found for structure in run.names})
    return found, {structure: numbering.names.get(structure) or f"label {structure}" for structure in structures}, notes
