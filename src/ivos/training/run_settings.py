"""Settings that all trainings share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from ivos.config import Settings
from ivos.volume.windows import Modality

Schedule = Literal["poly", "cosine", "multistep", "late", "constant"]


class CohortSettings(Settings):
    """The scans of a training.

    Attributes:
        scans: folder of ``ivos prepare``, or one as it was downloaded: that is prepared in the run's folder first.
        modality: which windows show scans that are prepared in the run's folder; ``"auto"`` goes by each scan.
        fold: whose labelled cases validate; None to train on all.
        labelled: how many labelled cases to train on, in an order that the seed draws and in which cases that came
            later follow; None for all. The others are unlabelled then.
        ignore_label: a label that says nothing of its voxels, where ``scans`` is prepared in the run's folder; what
            files name "ignore" is one without it.
    """

    scans: Path
    modality: Modality = "auto"
    fold: int | None = Field(default=0, ge=0)
    labelled: int | None = Field(default=None, ge=1)
    ignore_label: int | None = Field(default=None, ge=1)


class OptimiserSettings(Settings):
    """AdamW and its rate.

    Attributes:
        rate: peak learning rate; ``"find"`` tries rates on the first batches; None for the method's own.
        weight_decay: of AdamW.
        schedule: how the rate falls over the training: by a power, along a cosine, at some steps, to 0 over the last
            third, or not at all. It spans all steps: where a run continues with more of them, it is stretched, and the
            rate rises again.
        drops: where a ``"multistep"`` rate falls to a tenth, as shares of the steps.
        warm_up: steps over which it rises first.
        clip: norm to which gradients are clipped.
        accumulate: batches to a step.
        average: decay of the running average of weights, which validates and is kept.
    """

    rate: Annotated[float, Field(gt=0)] | Literal["find"] | None = None
    weight_decay: float = Field(default=1e-2, ge=0)
    schedule: Schedule = "poly"
    drops: tuple[float, ...] = (0.8,)
    warm_up: int = Field(default=100, ge=0)
    clip: float = Field(default=1.0, gt=0)
    accumulate: int = Field(default=1, ge=1)
    average: float = Field(default=0.99, ge=0, lt=1)


class RunSettings(Settings):
    """A run.

    Attributes:
        optimiser: AdamW and its rate.
        steps: optimiser steps in all; None for as many as the method usually takes.
        validate_every: steps from one validation to the next.
        save_every: steps from one checkpoint to the next.
        patience: validations without a better one after which the run ends early; None for never.
        precision: of the computation; ``"auto"`` is bfloat16 where the device multiplies in it.
        devices: processes or GPUs to train on together, on each machine.
        nodes: machines, as SLURM or torchrun starts them.
        log_to: where the log goes beside the run's folder, which has it as CSV and for TensorBoard.
        seed: of weights, samples and disturbances.
    """

    optimiser: OptimiserSettings = OptimiserSettings()
    steps: int | None = Field(default=None, ge=1)
    validate_every: int = Field(default=500, ge=1)
    save_every: int = Field(default=100, ge=1)
    patience: int | None = Field(default=None, ge=1)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    devices: int = Field(default=1, ge=1)
    nodes: int = Field(default=1, ge=1)
    log_to: tuple[Literal["wandb", "mlflow"], ...] = ()
    seed: int = Field(default=0, ge=0, lt=2**32)

    @property
    def total_steps(self) -> int:
        """The steps, once nothing is left open."""
        if self.steps is None:
            raise ValueError("steps are still open")
        return self.steps
