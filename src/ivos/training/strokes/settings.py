"""Settings of the training of the network for strokes."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from ivos.training.run_settings import OptimiserSettings, RunSettings, Schedule


class StrokesOptimiser(OptimiserSettings):
    """AdamW; the rate stays high for long, so that a run may be made longer."""

    schedule: Schedule = "late"
    average: float = Field(default=0.995, ge=0, lt=1)


class StrokesSettings(RunSettings):
    """A training, on synthetic slices without end.

    Attributes:
        init: initial weights; None for random ones.
        batch: slices that are drawn on at once.
        workers: processes that prepare slices.
        optimiser: AdamW and its rate.
    """

    init: Path | None = None
    batch: int = Field(default=16, ge=1)
    workers: int = Field(default=1, ge=0)
    optimiser: StrokesOptimiser = StrokesOptimiser()
