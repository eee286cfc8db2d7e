"""Several predictions of a scan into labels to train on: what they agree on is kept, what they do not is left open.

A structure is as trustworthy as the predictions agree on it: the mean over predictions of their DSC with the consensus.
One that is in none of them counts as nothing; one that some of them have and others lack counts with the 0 of those
that stand alone against the consensus. The default rule lets no well-found organ make up for a failed one.

In the labels, voxels get :data:`~ivos.volume.labels.IGNORE` of which nothing can be said:

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

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, model_validator

from ivos.config import Settings
from ivos.consensus import ConsensusRule, consensus, joined_names, pairwise_dsc
from ivos.errors import InputError
from ivos.volume.labels import IGNORE, IGNORE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    from ivos.volume.volume import Array, Volume

    Mask = npt.NDArray[np.bool_]

TrustRule = Literal["worst-structure", "ivos", "change", "all"]
"""What a scan's trust is: see :class:`PseudoLabelSettings`."""

Acceptance = Literal["per-scan", "per-structure"]

_THRESHOLDS: dict[TrustRule, float] = {"worst-structure": 0.85, "ivos": 0.9, "change": 0.9, "all": 0.0}


_NAMED = 5  # structures in a reason


class PseudoLabelSettings(Settings):
    """How predictions become labels.

    Attributes:
        consensus: how they become one.
        rule: what a scan's trust is.

            - ``"worst-structure"``: the lowest over structures of the mean DSC with the consensus.
            - ``"ivos"``: the mean over structures of the mean IoU with the consensus.
            - ``"change"``: 1 - (voxels whose label differs from the previous round's) / (labelled voxels); a
              structure's is the DSC of both rounds.
            - ``"all"``: everything is taken.
        threshold: the least trust that is accepted. None for the rule's own: 0.85 for ``"worst-structure"``, which a
            structure misses that one of up to six predictions lacks; 0.9 for ``"ivos"``, as published; 0.9 for
            ``"change"``, of which a ranking is published (76 of 2,000 scans were left out) and no threshold.
        accept: whether a scan is taken or left as a whole, or each of its structures. None for the rule's own:
            ``"per-structure"`` for ``"worst-structure"``, ``"per-scan"`` for the published ones.
    """

    consensus: ConsensusRule = "majority"
    rule: TrustRule = "worst-structure"
    threshold: float | None = Field(default=None, ge=0, le=1)
    accept: Acceptance | None = None

    @model_validator(mode="after")
    def _all_takes_everything(self) -> PseudoLabelSettings:
        if self.rule == "all" and (self.threshold is not None or self.accept is not None):
            raise ValueError("rule=all takes everything: leave threshold and accept out")
        return self

    @property
    def least(self) -> float:
        """The threshold, the rule's own where none is given."""
        return _THRESHOLDS[self.rule] if self.threshold is None else self.threshold

    @property
    def per_structure(self) -> bool:
        """Whether each structure is taken or left."""
        if self.accept is None:
            return self.rule == "worst-structure"
        return self.accept == "per-structure"

    def check_count(self, predictions: int) -> None:
        """Refuse a single prediction where predictions are compared.

        Raises:
            InputError: there is nothing to compare.
        """
        if predictions < 2 and self.rule in ("worst-structure", "ivos"):
            raise InputError(
                f"rule {self.rule} compares predictions: give two or more; for one there are change and all"
            )


@dataclass(frozen=True)
class StructureTrust:
    """How far one structure of a scan can be trusted.

    Attributes:
        structure: label id.
        name: its name.
        predictions: in how many predictions it is.
        volume_ml: its volume in the consensus.
        dsc: mean DSC of the predictions with the consensus; None for a single prediction, and where it is in none.
        iou: mean IoU likewise.
        previous_dsc: DSC of the consensus with the previous round's labels; None without those, and where neither has
            it.
        trust: the one of these that the rule goes by.
        trusted: whether it is taken.
        reason: why, in words.
    """

    structure: int
    name: str
    predictions: int
    volume_ml: float
    dsc: float | None
    iou: float | None
    previous_dsc: float | None
    trust: float | None
    trusted: bool
    reason: str


@dataclass(frozen=True)
class Judged:
    """What becomes of a scan.

    Attributes:
        labels: to train on, None for a scan that is not accepted. Voxels of :data:`~ivos.volume.labels.IGNORE` are left
            open.
        structures: every structure that is in any prediction, by ascending label id.
        accepted: whether there are labels.
        reason: why, in words.
        trust: the scan's, by the rule; None where there is nothing to go by.
        consensus: what all predictions say together; background where they are undecided.
    """

    labels: Volume | None
    structures: tuple[StructureTrust, ...]
    accepted: bool
    reason: str
    trust: float | None
    consensus: Volume


def judge(
    predictions: Sequence[Volume],
    settings: PseudoLabelSettings,
    previous: Volume | None = None,
    *,
    probabilities: Mapping[int, Iterable[Array]] | None = None,
) -> Judged:
    """What becomes of a scan: which of its structures are trusted, and the labels to train on.

    The order of the predictions makes no difference.

    Args:
        predictions: labels on one grid; two or more, one for the rules ``"change"`` and ``"all"``.
        settings: how.
        previous: labels of the round before, on the same grid, for the rule ``"change"``; what is
            :data:`~ivos.volume.labels.IGNORE` there is not compared. None where there are none: not accepted then.
        probabilities: for the consensus ``"mean-probability"``, as :func:`ivos.consensus.mean_probability` takes them.

    Raises:
        InputError: too few predictions for the rule, the label IGNORE in one, or different names for a label id.
    """
    settings.check_count(len(predictions))
    for number, volume in enumerate(predictions, start=1):
        if (volume.array == IGNORE).any():
            raise InputError(f"prediction {number} has label {IGNORE}, '{IGNORE_NAME}', which is no structure")
    previous = previous if settings.rule == "change" else None
    decided, undecided = _together(predictions, settings, probabilities)
    compared = None if previous is None else _compared(decided, previous, undecided)
    structures = _structures(predictions, decided, compared, settings)
    trust = _scan_trust(structures, compared, settings)
    accepted, reason = _decision(structures, trust, settings)
    if not settings.per_structure:
        structures = [replace(structure, trusted=accepted) for structure in structures]
    labels = None
    if accepted:
        sources = [decided, *predictions] if previous is None else [decided, *predictions, previous]
        labels = _labels(decided, sources, structures, undecided)
    return Judged(labels, tuple(structures), accepted, reason, trust, decided)


def _together(
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


def _compared(decided: Volume, previous: Volume, undecided: Mask) -> tuple[Volume, Volume]:
    """This round's labels and the previous one's, without the voxels of which either says nothing."""
    joined_names([decided, previous])
    silent = undecided | (previous.array == IGNORE)
    new, old = (volume.with_array(np.where(silent, 0, volume.array), volume.names) for volume in (decided, previous))
    return new, old


def _structures(
    predictions: Sequence[Volume],
    decided: Volume,
    compared: tuple[Volume, Volume] | None,
    settings: PseudoLabelSettings,
) -> list[StructureTrust]:
    agreement = pairwise_dsc([decided, *predictions])
    change = pairwise_dsc(compared) if compared is not None else {}
    structures = []
    for structure in sorted({*agreement, *change}):
        table = agreement.get(structure)
        own = [] if table is None else [float(dsc) for dsc in table[0, 1:] if not math.isnan(dsc)]
        with_it = 0 if table is None else int(np.isfinite(np.diagonal(table)[1:]).sum())
        if len(predictions) < 2:
            own = []  # one prediction agrees with itself
        dsc, iou = _mean(own), _mean([d / (2 - d) for d in own])
        previous_dsc = float(change[structure][0, 1]) if structure in change else None
        trust = {"ivos": iou, "change": previous_dsc}.get(settings.rule, dsc)
        trusted = settings.rule == "all" or (trust is not None and trust >= settings.least)
        structures.append(
            StructureTrust(
                structure=structure,
                name=decided.names.get(structure, f"label {structure}"),
                predictions=with_it,
                volume_ml=int(np.count_nonzero(decided.array == structure)) * decided.geometry.voxel_volume_ml,
                dsc=dsc,
                iou=iou,
                previous_dsc=previous_dsc,
                trust=trust,
                trusted=trusted,
                reason=_words(trust, with_it, len(predictions), settings),
            )
        )
    return structures


def _mean(values: Sequence[float]) -> float | None:
    """Without rounding between, so that the order makes no difference."""
    return math.fsum(values) / len(values) if values else None


def _words(trust: float | None, with_it: int, count: int, settings: PseudoLabelSettings) -> str:
    figure = {"ivos": "mean IoU with the consensus", "change": "DSC with the previous round"}
    what = figure.get(settings.rule, "mean DSC with the consensus")
    told = f"{what} unknown" if trust is None else f"{what} {trust:.3f}"
    if settings.per_structure and (trust is None or trust < settings.least):
        told += f", {settings.least:g} is asked for"
    return told + (f"; in {with_it} of {count} predictions" if with_it < count else "")


def _scan_trust(
    structures: Sequence[StructureTrust], compared: tuple[Volume, Volume] | None, settings: PseudoLabelSettings
) -> float | None:
    known = [structure.trust for structure in structures if structure.trust is not None]
    if settings.rule == "ivos":
        return _mean(known)
    if settings.rule != "change":
        return min(known, default=None)
    if compared is None:
        return None
    new, old = (volume.array for volume in compared)
    changed, labelled = int(np.count_nonzero(new != old)), int(np.count_nonzero(new))
    return max(0.0, 1 - changed / labelled) if labelled else None


def _decision(
    structures: Sequence[StructureTrust], trust: float | None, settings: PseudoLabelSettings
) -> tuple[bool, str]:
    """Whether a scan is accepted, and why."""
    if not any(structure.volume_ml for structure in structures):
        return False, "no structure in the consensus"
    if settings.rule == "all":
        return True, "everything is taken"
    if trust is None:
        return False, "nothing of the previous round to compare with"
    if not settings.per_structure:
        told = f"trust {trust:.3f}, {settings.least:g} is asked for"
        if settings.rule == "worst-structure":
            told += f"; the worst: {min(structures, key=_lowest_first).name}"
        return trust >= settings.least, told
    left_open = sorted((structure for structure in structures if not structure.trusted), key=_lowest_first)
    named = ", ".join(structure.name for structure in left_open[:_NAMED]) + ", ..." * (len(left_open) > _NAMED)
    if not any(structure.trusted and structure.volume_ml for structure in structures):
        return False, f"no structure is trusted: {named}"
    return True, f"{len(left_open)} of {len(structures)} structures left open: {named}" if left_open else "all trusted"


def _lowest_first(structure: StructureTrust) -> float:
    return -1.0 if structure.trust is None else structure.trust


def _labels(
    decided: Volume, sources: Sequence[Volume], structures: Sequence[StructureTrust], undecided: Mask
) -> Volume:
    """The trusted structures, and IGNORE where nothing can be said."""
    trusted = [structure.structure for structure in structures if structure.trusted]
    doubtful = [structure.structure for structure in structures if not structure.trusted]
    ignored = undecided
    if doubtful:
        held = np.any([np.isin(volume.array, doubtful) for volume in sources], axis=0)
        ignored = undecided | (held & ~np.isin(decided.array, trusted))
    names = {label: name for label, name in decided.names.items() if label != IGNORE}
    if ignored.any():
        names[IGNORE] = IGNORE_NAME
    return decided.with_array(np.where(ignored, IGNORE, decided.array), names)
