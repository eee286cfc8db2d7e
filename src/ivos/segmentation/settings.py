"""Settings of the segmentation of whole scans, and the names of their choices; loads no network library."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from ivos.config import Settings
from ivos.device import DeviceChoice
from ivos.volume.windows import Modality

Combination = Literal["mean", "max", "first", "second"]
"""What several networks say together: the mean or the largest of their probabilities, or those of one of them."""

ReferenceSelection = Literal["non-empty", "largest-area", "most-structures", "least-uncertain", "spread", "random"]
FusionName = Literal["distance-confidence", "sum", "smallest-structure-first"]
Structures = tuple[int, ...] | Literal["all"]


_OLD_KEYS = {
    "combination": "ensemble",
    "mirrored": "tta_mirror",
    "every": "stride",
    "at_most": "max_slices",
    "choice": "reference_selection",
    "references": "max_references",
    "agreement": "fuse_with_reference",
    "filled": "fill_holes",
}
"""Keys before 0.2, which settings files may still have."""


class StageSettings(Settings):
    """How scans are segmented, by whichever reference networks.

    Attributes:
        ensemble: how the answers of several networks become one.
        tta_mirror: whether they also see slices mirrored left to right (test-time augmentation).
        propagation: ``"bundled"``, a file of weights of the small network or STCN, or ``"none"`` to segment every slice
            by itself.
        stride: distance between the slices that the reference networks look at.
        max_slices: largest number of slices that they look at; None for no limit.
        reference_selection: which of these slices become reference slices.
        max_references: largest number of reference slices; ``"non-empty"`` and ``"largest-area"`` have no such limit.
        fusion: of the two passes; None for the engine's own, where it has one, or distance and confidence.
        fuse_with_reference: whether the networks look at every slice, and count there as much as propagation does.
        largest_component: label ids of which only the largest connected component is kept.
        fill_holes: label ids whose holes are filled.
        modality: which windows show the scan.
        device: where networks run.
    """

    ensemble: Combination = "mean"
    tta_mirror: bool = False
    propagation: Literal["bundled", "none"] | Path = "bundled"
    stride: int = Field(default=3, ge=1)
    max_slices: int | None = Field(default=None, ge=1)
    reference_selection: ReferenceSelection = "largest-area"
    max_references: int = Field(default=8, ge=1)
    fusion: FusionName | None = None
    fuse_with_reference: bool = False
    largest_component: Structures = ()
    fill_holes: Structures = ()
    modality: Modality = "auto"
    device: DeviceChoice = "auto"

    @model_validator(mode="before")
    @classmethod
    def _take_old_keys(cls, given: Any) -> Any:
        return {_OLD_KEYS.get(key, key): value for key, value in given.items()} if isinstance(given, dict) else given


class SegmentationSettings(StageSettings):
    """How scans are segmented.

    Attributes:
        reference: weights of reference networks, a file for each.
    """

    reference: tuple[Path, ...] = Field(min_length=1)

    def as_recorded(self) -> dict[str, Any]:
        """What manifests and quality models record, without files and device.

        By the keys before 0.2, so that those that were written then stay valid.
        """
        old = {new: key for key, new in _OLD_KEYS.items()}
        plain = self.model_dump(mode="json", exclude={"reference", "propagation", "device"})
        return {old.get(key, key): value for key, value in plain.items()}
