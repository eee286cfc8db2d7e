"""Settings of the training of reference networks."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from ivos.nets.reference import ReferenceName
from ivos.training.reference.losses import LossSettings
from ivos.training.run_settings import CohortSettings, RunSettings


class DataSettings(CohortSettings):
    """Scans and slices.

    Attributes:
        structures: label ids; None for all that are there.
        size: side of the slices in pixels.
        neighbours: slices on each side that are given as channels too.
        batch: labelled slices in a step, and as many unlabelled ones.
        workers: processes that read slices.
    """

    structures: tuple[int, ...] | None = None
    size: int = Field(default=256, ge=32)
    neighbours: int = Field(default=0, ge=0)
    batch: int = Field(default=8, ge=1)
    workers: int = Field(default=1, ge=0)


class ReferenceSettings(RunSettings):
    """A training.

    Attributes:
        data: scans and slices.
        method: labelled slices alone, or with unlabelled ones in one of three ways.
        networks: one; two for cross pseudo supervision.
        init: initial weights, a file for each network: of such a training, or published ones of IVOS for
            ``transunet``; the classifier is re-initialised if the structures differ.
        imagenet: published ImageNet-21k weights (.npz) of R50-ViT-B/16 for the encoder of ``transunet``.
        loss: what labelled slices teach.
        pseudo_weight: weight of what unlabelled slices teach.
    """

    data: DataSettings
    method: Literal["supervised", "cps", "cps-uncertainty", "consistency"] = "supervised"
    networks: tuple[ReferenceName, ...] = ("small",)
    init: tuple[Path, ...] | None = None
    imagenet: Path | None = None
    loss: LossSettings = LossSettings()
    pseudo_weight: float = Field(default=1.0, ge=0)

    @model_validator(mode="after")
    def _as_many_networks_as_the_method_has(self) -> ReferenceSettings:
        wanted = 2 if self.method.startswith("cps") else 1
        if len(self.networks) != wanted:
            raise ValueError(f"method {self.method} trains {wanted}, networks names {len(self.networks)}")
        if self.init is not None and len(self.init) != wanted:
            raise ValueError(f"method {self.method} trains {wanted}, init names {len(self.init)}")
        if self.imagenet is not None and self.init is not None:
            raise ValueError("init and imagenet: give one of them")
        if self.imagenet is not None and "transunet" not in self.networks:
            raise ValueError("imagenet is for the network transunet, which networks does not name")
        return self
