"""Settings of the training of the refinement network."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from ivos.training.propagation_settings import AnatomySettings
from ivos.training.run_settings import OptimiserSettings, RunSettings, Schedule


class RefinementOptimiser(OptimiserSettings):
    """AdamW; the rate stays high for long, so that a run may be made longer."""

    schedule: Schedule = "late"
    average: float = Field(default=0.995, ge=0, lt=1)


class RefinementSettings(RunSettings):
    """A training on what the engine ``fast`` makes of volumes whose labels are known.

    Attributes:
        anatomy: label maps and scans; None for synthetic volumes alone.
        propagation: weights of ``fast`` whose mistakes are to be corrected; None for the bundled ones.
        init: initial weights; None for random ones.
        volumes: how many volumes are propagated before the training, to learn from.
        batch: crops in a step.
        workers: processes that propagate volumes, and that read crops.
        optimiser: AdamW and its rate.
    """

    anatomy: AnatomySettings | None = None
    propagation: Path | None = None
    init: Path | None = None
    volumes: int = Field(default=400, ge=1)
    batch: int = Field(default=4, ge=1)
    workers: int = Field(default=1, ge=0)
    optimiser: RefinementOptimiser = RefinementOptimiser()
