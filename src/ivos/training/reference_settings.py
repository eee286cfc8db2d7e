"""What the training of a reference network may be told."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from ivos.config import Settings
from ivos.nets.reference import ReferenceName


class DataSettings(Settings):
    """Scans and slices.

    Attributes:
        prepared: folder of ``ivos prepare``.
        fold: whose labelled cases validate; None to train on all.
        labelled: how many labelled cases to train on, in an order that the seed draws; None for all. The others are
            unlabelled then.
        structures: label ids; None for all that are there.
        size: side of the slices in pixels.
        neighbours: slices on each side that are given as channels too.
        batch: labelled slices in a step, and as many unlabelled ones.
        workers: processes that read slices.
    """

    prepared: Path
    fold: int | None = 0
    labelled: int | None = Field(default=None, ge=1)
    structures: tuple[int, ...] | None = None
    size: int = Field(default=256, ge=32)
    neighbours: int = Field(default=0, ge=0)
    batch: int = Field(default=8, ge=1)
    workers: int = Field(default=1, ge=0)


class OptimiserSettings(Settings):
    """AdamW and its rate.

    Attributes:
        rate: learning rate at its highest.
        weight_decay: of AdamW.
        schedule: how the rate falls to 0 over the training.
        warm_up: steps over which it rises first.
        clip: norm to which gradients are clipped.
        accumulate: batches to a step.
        average: decay of the running average of weights, which validates and is kept.
    """

    rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    schedule: Literal["poly", "cosine", "constant"] = "poly"
    warm_up: int = Field(default=100, ge=0)
    clip: float = Field(default=1.0, gt=0)
    accumulate: int = Field(default=1, ge=1)
    average: float = Field(default=0.99, ge=0, lt=1)


class ReferenceSettings(Settings):
    """A training.

    Attributes:
        data: scans and slices.
        method: labelled slices alone, or with unlabelled ones in one of three ways.
        networks: one; two for cross pseudo supervision.
        imagenet: published ImageNet-21k weights (.npz) of R50-ViT-B/16 for the encoder of ``transunet``.
        pseudo_weight: weight of what unlabelled slices teach.
        optimiser: AdamW and its rate.
        steps: optimiser steps in all.
        validate_every: steps from one validation to the next.
        save_every: steps from one checkpoint to the next.
        precision: of the computation; ``"auto"`` is bfloat16 where the device multiplies in it.
        devices: processes or GPUs to train on together, on each machine.
        nodes: machines, as SLURM or torchrun starts them.
        seed: of weights, samples and disturbances.
    """

    data: DataSettings
    method: Literal["supervised", "cps", "cps-uncertainty", "consistency"] = "supervised"
    networks: tuple[ReferenceName, ...] = ("small",)
    imagenet: Path | None = None
    pseudo_weight: float = Field(default=1.0, ge=0)
    optimiser: OptimiserSettings = OptimiserSettings()
    steps: int = Field(default=2000, ge=1)
    validate_every: int = Field(default=500, ge=1)
    save_every: int = Field(default=100, ge=1)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    devices: int = Field(default=1, ge=1)
    nodes: int = Field(default=1, ge=1)
    seed: int = 0

    @model_validator(mode="after")
    def _as_many_networks_as_the_method_has(self) -> ReferenceSettings:
        wanted = 2 if self.method.startswith("cps") else 1
        if len(self.networks) != wanted:
            raise ValueError(f"method {self.method} trains {wanted}, networks names {len(self.networks)}")
        if self.imagenet is not None and "transunet" not in self.networks:
            raise ValueError("imagenet is for the network transunet, which networks does not name")
        return self
