"""Settings of the training of the fusion network."""

from __future__ import annotations

from pydantic import Field

from ivos.training.run_settings import OptimiserSettings, RunSettings, Schedule


class FusionOptimiser(OptimiserSettings):
    """AdamW; the rate stays high for long, so that a run may be made longer."""

    schedule: Schedule = "late"
    average: float = Field(default=0.998, ge=0, lt=1)


class FusionSettings(RunSettings):
    """A training.

    Attributes:
        scans: synthetic scans whose corrections are learned from; each takes some ten seconds to be corrected.
        batch: samples in a step.
        optimiser: AdamW and its rate.
    """

    scans: int = Field(default=100, ge=1)
    batch: int = Field(default=32, ge=1)
    optimiser: FusionOptimiser = FusionOptimiser()
