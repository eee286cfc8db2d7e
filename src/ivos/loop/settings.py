"""Settings of a self-training loop."""

from __future__ import annotations

from pydantic import Field

from ivos.config import Settings
from ivos.pseudo_labels import PseudoLabelSettings
from ivos.segmentation.settings import StageSettings
from ivos.training.reference.settings import ReferenceSettings


class LoopSettings(Settings):
    """A loop.

    Attributes:
        train: every round's training; ``data`` names the cohort, the fold that validates, and how many labelled cases.
        segment: how the unlabelled scans are segmented.
        pseudo_label: what of that is trusted.
        rounds: after the first one, which has no pseudo-labels; fewer where the validation DSC stops rising.
        patience: rounds without a better validation DSC after which it ends; looked at where a fold validates.
    """

    train: ReferenceSettings
    segment: StageSettings = StageSettings()
    pseudo_label: PseudoLabelSettings = PseudoLabelSettings()
    rounds: int = Field(default=3, ge=1)
    patience: int = Field(default=1, ge=1)
