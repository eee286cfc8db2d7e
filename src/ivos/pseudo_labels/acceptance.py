"""Acceptance of a scan's structures, and the labels to train on.

A structure is as trustworthy as the predictions agree on it: the mean over predictions of their DSC with the consensus.
One that is in none of them counts as nothing; one that some of them have and others lack counts with the 0 of those
that stand alone against the consensus. The default rule lets no well-found organ make up for a failed one.

In the labels, voxels get the label "ignore" of which nothing can be said:

- those of structures that are not trusted, wherever any prediction has them and no trusted structure is: calling them
  background would teach that the organ is not there;
- those for which no label has more than half of the votes (majority alone): which one they would get depends on the
  order of the predictions.

Other voxels on which single predictions differ keep the consensus, inside accepted structures too. They lie along the
surfaces, and labels that are silent there teach no boundaries; what chance does to them differs from scan to scan.

References:
    IVOS: Semi-supervised organ segmentation with Mask Propagation Refinement and Uncertainty Estimation for Data
    Generation, FLARE 2022 (the rule ``"ivos"``, without its split of scans into thirds).
    Huang et al.: Revisiting nnU-Net for Iterative Pseudo Labeling and Efficient Sliding Window Inference, FLARE 2022
    (the rule ``"change"``, by their published code).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ivos.errors import InputError, counted
from ivos.pseudo_labels.change import Change, Rounds
from ivos.pseudo_labels.scores import StructureScore, score_scan, score_structures
from ivos.segmentation.ensemble import consensus
from ivos.volume.labels import IGNORE_NAME, ignore_id, ignored_in, without_ignored

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    from ivos.pseudo_labels.settings import PseudoLabelSettings
    from ivos.types import Array
    from ivos.volume.volume import Volume

    Mask = npt.NDArray[np.bool_]

_NAMED = 5  # structures in a reason


@dataclass(frozen=True)
class PseudoLabels:
    """The decision on a scan, and its labels.

    Attributes:
        labels: to train on, None for a scan that is not accepted. Voxels that are named "ignore" are left
            open.
        structures: every structure that is in any prediction, and with the rule ``"change"`` in the previous round, by
            ascending label id.
        accepted: whether there are labels.
        reason: why, in words.
        trust: the scan's, by the rule; None where there is nothing to go by.
        consensus: of all predictions; background where there is no majority.
        change: of the consensus since the previous round; None without one.
    """

    labels: Volume | None
    structures: tuple[StructureScore, ...]
    accepted: bool
    reason: str
    trust: float | None
    consensus: Volume
    change: Change | None = None


def accept(
    predictions: Sequence[Volume],
    settings: PseudoLabelSettings,
    previous: Volume | None = None,
    *,
    probabilities: Mapping[int, Iterable[Array]] | None = None,
) -> PseudoLabels:
    """Decide which structures of a scan are accepted, and make the labels to train on.

    The order of the predictions makes no difference.

    Args:
        predictions: labels on one grid; two or more, one for the rules ``"change"`` and ``"all"``.
        settings: how.
        previous: labels of the round before, on the same grid; what is named "ignore" there is not
            compared. Only the rule ``"change"`` uses them, and accepts nothing without; with other rules the
            changes are reported.
        probabilities: for the consensus ``"mean-probability"``, see
            :func:`ivos.segmentation.ensemble.mean_probability`.

    Raises:
        InputError: too few predictions for the rule, voxels named "ignore" in one, or different names for a label id.
    """
    settings.check_count(len(predictions))
    for number, volume in enumerate(predictions, start=1):
        if ignored_in(volume).any():
            label = int(volume.array[ignored_in(volume)][0])
            raise InputError(
                f"prediction {number} has label {label}, '{IGNORE_NAME}', which is not a structure; predictions must"
                " label every voxel"
            )
    predictions = [without_ignored(volume) for volume in predictions]  # the name alone may be there
    decided, undecided = _consensus_and_ties(predictions, settings, probabilities)
    rounds = None if previous is None else Rounds(decided, previous, undecided)
    change = None if rounds is None else rounds.change()
    if settings.rule != "change":
        rounds = previous = None
    structures = score_structures(predictions, decided, rounds, settings)
    trust = score_scan(structures, rounds, settings)
    accepted, reason = _decision(structures, trust, settings)
    if not settings.per_structure:
        structures = [replace(structure, trusted=accepted) for structure in structures]
    labels = None
    if accepted:
        sources = [decided, *predictions]
        if previous is not None:
            sources.append(without_ignored(previous))
        labels = _labels(decided, sources, structures, undecided)
    reason += _describe_change(change, settings)
    return PseudoLabels(labels, tuple(structures), accepted, reason, trust, decided, change)


def _describe_change(change: Change | None, settings: PseudoLabelSettings) -> str:
    """What to add to a reason: the whole change by the rule ``"change"``, what is lost by any."""
    if change is None:
        return ""
    return change.words if settings.rule == "change" else change.gone


def _consensus_and_ties(
    predictions: Sequence[Volume],
    settings: PseudoLabelSettings,
    probabilities: Mapping[int, Iterable[Array]] | None,
) -> tuple[Volume, Mask]:
    """The consensus, and where a vote has no majority; that is background in it."""
    undecided = np.zeros(predictions[0].array.shape, bool)
    if len(predictions) < 2:
        return predictions[0], undecided
    labels = consensus(settings.consensus, predictions, probabilities).labels
    if settings.consensus == "majority":
        votes = np.zeros(labels.array.shape, np.uint16)
        for volume in predictions:
            votes += volume.array == labels.array
        undecided = 2 * votes <= len(predictions)
    return labels.with_array(np.where(undecided, 0, labels.array), labels.names), undecided


def _decision(
    structures: Sequence[StructureScore], trust: float | None, settings: PseudoLabelSettings
) -> tuple[bool, str]:
    """Whether a scan is accepted, and why."""
    if not any(structure.volume_ml for structure in structures):
        return False, "no structure in the consensus"
    if settings.rule == "all":
        return True, "everything is accepted"
    if trust is None:
        return False, "no previous round to compare with"
    if not settings.per_structure:
        text = f"score {trust:.3f}, threshold {settings.least:g}"
        if settings.rule == "worst-structure":
            text += f"; lowest: {min(structures, key=_lowest_first).name}"
        return trust >= settings.least, text
    left_open = sorted((structure for structure in structures if not structure.trusted), key=_lowest_first)
    named = ", ".join(structure.name for structure in left_open[:_NAMED]) + ", ..." * (len(left_open) > _NAMED)
    if not any(structure.trusted and structure.volume_ml for structure in structures):
        return False, f"no structure accepted: {named}"
    return (
        True,
        f"{len(left_open)} of {counted(len(structures), 'structure')} excluded: {named}"
        if left_open
        else "all accepted",
    )


def _lowest_first(structure: StructureScore) -> float:
    return -1.0 if structure.trust is None else structure.trust


def _labels(
    decided: Volume, sources: Sequence[Volume], structures: Sequence[StructureScore], undecided: Mask
) -> Volume:
    """The trusted structures, and "ignore" where nothing can be said."""
    trusted = [structure.structure for structure in structures if structure.trusted]
    doubtful = [structure.structure for structure in structures if not structure.trusted]
    ignored = undecided
    if doubtful:
        held = np.any([np.isin(volume.array, doubtful) for volume in sources], axis=0)
        ignored = undecided | (held & ~np.isin(decided.array, trusted))
    if not ignored.any():
        return decided
    label = ignore_id([*decided.names, *(structure.structure for structure in structures)])
    array = np.where(ignored, np.min_scalar_type(label).type(label), decided.array)
    return decided.with_array(array, {**decided.names, label: IGNORE_NAME})
