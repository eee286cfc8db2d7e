"""Settings of the segmentation of whole scans, and the names of their choices; loads no network library."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from ivos.config import Settings
from ivos.device import DeviceChoice
from ivos.volume.windows import Modality

Combination = Literal["mean", "max", "first", "second"]
"""What several networks say together: the mean or the largest of their probabilities, or those of one of them."""

ChoiceName = Literal["non-empty", "largest-area", "most-structures", "least-uncertain", "spread", "random"]
FusionName = Literal["distance-confidence", "sum", "smallest-structure-first"]
Structures = tuple[int, ...] | Literal["all"]


class StageSettings(Settings):
    """How scans are segmented, by whichever reference networks.

    Attributes:
        combination: what several networks say together.
        mirrored: whether they see slices mirrored sideways too.
        propagation: ``"bundled"``, a file of weights of the small network or STCN, or ``"none"`` for single slices by
            themselves.
        every: references are looked for on one slice in so many.
        at_most: on so many slices in all; None for no limit.
        choice: which of those become reference slices.
        references: so many at most; ``"non-empty"`` and ``"largest-area"`` have numbers of their own.
        fusion: of the two passes; None for the engine's own, where it has one, or distance and confidence.
        agreement: whether the networks see every slice, and count there as much as propagation does.
        largest_component: label ids of which one piece is kept.
        filled: label ids whose holes are filled.
        modality: which windows show the scan.
        device: where networks run.
    """

    combination: Combination = "mean"
    mirrored: bool = False
    propagation: Literal["bundled", "none"] | Path = "bundled"
    every: int = Field(default=3, ge=1)
    at_most: int | None = Field(default=None, ge=1)
    choice: ChoiceName = "largest-area"
    references: int = Field(default=8, ge=1)
    fusion: FusionName | None = None
    agreement: bool = False
    largest_component: Structures = ()
    filled: Structures = ()
    modality: Modality = "auto"
    device: DeviceChoice = "auto"


class SegmentationSettings(StageSettings):
    """How scans are segmented.

    Attributes:
        reference: weights of reference networks, a file for each.
    """

    reference: tuple[Path, ...] = Field(min_length=1)
