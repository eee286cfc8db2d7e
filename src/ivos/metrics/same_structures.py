"""Match the label ids of prediction, ground truth and several cases before they are compared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ivos.volume.label_matching import By, Numbering, Table, changes, matched_ids, new_names, scheme_ids, table_of
from ivos.volume.labels import IGNORE_NAME, ignored_ids

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ivos.metrics.evaluation import Score
    from ivos.volume.label_layers import LabelLayers

_REMEDY = "use one numbering in both, or choose with --by id or --by name"


def remove_ignored(
    prediction: LabelLayers, truth: LabelLayers, names: Mapping[int, str] | None, ignore: int | None
) -> tuple[LabelLayers, LabelLayers]:
    """A prediction and its truth without the voxels of which the truth says nothing.

    Where a prediction says nothing, it has found nothing.

    Args:
        prediction: labels with the names of their file.
        truth: likewise, on the same grid.
        names: a scheme, which goes before the names of the files.
        ignore: the label that a person says is "ignore", whatever its name.
    """
    said = {**(names or {}), **({} if ignore is None else {ignore: IGNORE_NAME})}
    found, true = (ignored_ids({**labels.names, **said}) for labels in (prediction, truth))
    masks = [truth.mask(label) for label in true]
    prediction, truth = prediction.without_ids(found), truth.without_ids(true)
    for mask in masks:
        prediction, truth = prediction.without(mask), truth.without(mask)
    return prediction, truth


def match_pair(
    prediction: LabelLayers, truth: LabelLayers, names: Mapping[int, str] | None, by: By
) -> tuple[LabelLayers, LabelLayers, list[str]]:
    """Bring a prediction to the label ids of its truth, and both to a scheme's, where names say that they differ.

    Args:
        prediction: labels with the names of their file.
        truth: likewise.
        names: a scheme, which goes before the names of the files.
        by: what tells which labels are one structure.

    Returns:
        Both, and a sentence on each that was given other ids.

    Raises:
        InputError: names contradict each other; see :func:`ivos.volume.label_matching.matched_ids`.
    """
    if by == "id":
        return prediction, truth, []
    notes: list[str] = []
    pair = {"the prediction": prediction, "the truth": truth}
    if names:
        for what, labels in pair.items():
            table = table_of(labels, what)
            ids = scheme_ids(table, names)
            if ids is not None:
                notes.append(changes(table, ids, "the scheme"))
                pair[what] = labels.numbered(ids, new_names(labels.names, ids))
    prediction, truth = pair.values()
    mine, true = (_with_scheme(table_of(labels, what), names) for what, labels in pair.items())
    ids = matched_ids(mine, true, by, _REMEDY)
    if ids is not None:
        notes.append(changes(mine, ids, true.what))
        prediction = prediction.numbered(ids, new_names(prediction.names, ids))
    return prediction, truth, notes


def match_cases(scores: Sequence[Score], by: By) -> tuple[list[Score], str | None]:
    """Bring the scores of several cases to one numbering, the first case's, where names say that theirs differ.

    Returns:
        The scores, and a sentence if some were given other ids.

    Raises:
        InputError: the names of two cases contradict each other.
    """
    if by == "id":
        return list(scores), None
    numbering = Numbering(by="auto", remedy="use one numbering in all cases, or --by id", what="the cases before")
    by_case: dict[str, list[Score]] = {}
    for score in scores:
        by_case.setdefault(score.case, []).append(score)
    found: list[Score] = []
    moved = []
    for case, of_case in by_case.items():
        ids = numbering.ids_of(_table_of_case(case, of_case))
        if ids is not None:
            moved.append(case)
            of_case = sorted((replace(s, structure=ids[s.structure]) for s in of_case), key=lambda s: s.structure)
        found += of_case
    if not moved:
        return found, None
    some = ", ".join(moved[:3]) + ", ..." * (len(moved) > 3)
    return found, f"the cases number their structures differently: {some} matched by name with those before"


def _table_of_case(case: str, scores: Sequence[Score]) -> Table:
    return Table(f"case {case}", {s.structure: s.name for s in scores}, lambda: [s.structure for s in scores])


def _with_scheme(table: Table, names: Mapping[int, str] | None) -> Table:
    return replace(table, names={**table.names, **names}) if names else table
