"""Settings of pseudo-labels: the consensus, the rules of acceptance and their thresholds."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ivos.config import Settings
from ivos.errors import InputError
from ivos.segmentation.ensemble import ConsensusRule

ScoreRule = Literal["worst-structure", "ivos", "change", "all"]
"""What a scan's trust is: see :class:`PseudoLabelSettings`."""

Acceptance = Literal["per-scan", "per-structure"]

_THRESHOLDS: dict[ScoreRule, float] = {"worst-structure": 0.85, "ivos": 0.9, "change": 0.9, "all": 0.0}


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
    rule: ScoreRule = "worst-structure"
    threshold: float | None = Field(default=None, ge=0, le=1)
    accept: Acceptance | None = None

    @model_validator(mode="after")
    def _all_takes_everything(self) -> PseudoLabelSettings:
        if self.rule == "all" and (self.threshold is not None or self.accept is not None):
            raise ValueError("rule=all accepts everything: omit threshold and accept")
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
            raise InputError(f"rule {self.rule} compares predictions: give two or more, or use the rule change or all")
