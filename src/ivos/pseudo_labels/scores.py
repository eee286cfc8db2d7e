"""Reliability of each structure of a scan, by the agreement of predictions or by change between rounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ivos.segmentation.ensemble import pairwise_dsc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivos.pseudo_labels.change import Rounds
    from ivos.pseudo_labels.settings import PseudoLabelSettings
    from ivos.volume.volume import Volume


@dataclass(frozen=True)
class StructureScore:
    """Reliability of one structure of a scan.

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


def score_structures(
    predictions: Sequence[Volume],
    decided: Volume,
    rounds: Rounds | None,
    settings: PseudoLabelSettings,
) -> list[StructureScore]:
    """The trust in every structure that any prediction has, or with the rule ``"change"`` the previous round.

    Args:
        predictions: labels on one grid.
        decided: what they say together.
        rounds: this round and the previous one, for the rule ``"change"``.
        settings: the rule, and what it asks for.

    Returns:
        By ascending label id.
    """
    agreement = pairwise_dsc([decided, *predictions])
    change = {} if rounds is None else rounds.dsc
    names = decided.names if rounds is None else rounds.names
    structures = []
    for structure in sorted({*agreement, *change}):
        table = agreement.get(structure)
        own = [] if table is None else [float(dsc) for dsc in table[0, 1:] if not math.isnan(dsc)]
        with_it = 0 if table is None else int(np.isfinite(np.diagonal(table)[1:]).sum())
        if len(predictions) < 2:
            own = []  # one prediction agrees with itself
        dsc, iou = _mean(own), _mean([d / (2 - d) for d in own])
        previous_dsc = change.get(structure)
        trust = {"ivos": iou, "change": previous_dsc}.get(settings.rule, dsc)
        trusted = settings.rule == "all" or (trust is not None and trust >= settings.least)
        structures.append(
            StructureScore(
                structure=structure,
                name=names.get(structure, f"label {structure}"),
                predictions=with_it,
                volume_ml=int(np.count_nonzero(decided.array == structure)) * decided.geometry.voxel_volume_ml,
                dsc=dsc,
                iou=iou,
                previous_dsc=previous_dsc,
                trust=trust,
                trusted=trusted,
                reason=_describe_score(trust, with_it, len(predictions), settings),
            )
        )
    return structures


def _mean(values: Sequence[float]) -> float | None:
    """Without rounding between, so that the order makes no difference."""
    return math.fsum(values) / len(values) if values else None


def _describe_score(trust: float | None, with_it: int, count: int, settings: PseudoLabelSettings) -> str:
    figure = {"ivos": "mean IoU with the consensus", "change": "DSC with the previous round"}
    what = figure.get(settings.rule, "mean DSC with the consensus")
    text = f"{what} unknown" if trust is None else f"{what} {trust:.3f}"
    if settings.per_structure and (trust is None or trust < settings.least):
        text += f", threshold {settings.least:g}"
    return text + (f"; in {with_it} of {count} predictions" if with_it < count else "")


def score_scan(
    structures: Sequence[StructureScore], rounds: Rounds | None, settings: PseudoLabelSettings
) -> float | None:
    """The trust in a scan as a whole; None where there is nothing to go by.

    Args:
        structures: all of it.
        rounds: this round and the previous one, for the rule ``"change"``.
        settings: the rule.
    """
    if settings.rule == "change":
        return None if rounds is None else rounds.unchanged
    known = [structure.trust for structure in structures if structure.trust is not None]
    return _mean(known) if settings.rule == "ivos" else min(known, default=None)
