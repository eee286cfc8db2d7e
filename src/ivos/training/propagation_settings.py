"""Settings of the training of propagation networks."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from ivos.config import Settings
from ivos.nets.key_encoders import KeyEncoderName
from ivos.training.run_settings import CohortSettings, OptimiserSettings, RunSettings, Schedule


class PropagationOptimiser(OptimiserSettings):
    """AdamW; the rate stays high for long, so that a run may be made longer."""

    schedule: Schedule = "late"
    warm_up: int = Field(default=300, ge=0)
    average: float = Field(default=0.998, ge=0, lt=1)


class FastSettings(Settings):
    """The small network."""

    name: Literal["fast"] = "fast"


class LearnFrom(Settings):
    """How often a step learns from what; shares, which need not add up to one.

    Attributes:
        slices: slices of labelled scans, one after another.
        deformed: single labelled slices, each with two deformed copies of itself.
        cycle: slices of unlabelled scans: regions of the first one, to the last one and back.
    """

    slices: float = Field(default=1.0, ge=0)
    deformed: float = Field(default=0.0, ge=0)
    cycle: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _from_something(self) -> LearnFrom:
        if self.slices + self.deformed + self.cycle == 0:
            raise ValueError("learn_from: all shares are 0; give one of slices, deformed, cycle")
        return self


class STCNSettings(Settings):
    """The published memory network.

    Attributes:
        name: ``"stcn"``.
        key_encoder: the published one, or one of timm.
        imagenet: published ImageNet weights of ResNet-50 and ResNet-18 for key and value encoder, in torchvision's
            names.
        learn_from: labelled slices, deformed ones, unlabelled ones.
        structures: number of separate structures in a sample; all others form one more. None for all.
        size: side of the slices in pixels, a multiple of 16.
        batch: samples in a step.
        jumps: the largest steps between the slices of a sample, as the training proceeds.
        jumps_until: up to which share of the steps each of them holds.
        bootstrapped: shares of the steps between which the loss turns from all pixels to the hardest.
    """

    name: Literal["stcn"]
    key_encoder: KeyEncoderName = "resnet50"
    imagenet: tuple[Path, Path] | None = None
    learn_from: LearnFrom = LearnFrom()
    structures: int | None = Field(default=2, ge=1)
    size: int = Field(default=384, ge=32, multiple_of=16)
    batch: int = Field(default=8, ge=1)
    jumps: tuple[int, ...] = (2, 4, 6, 8, 3)
    jumps_until: tuple[float, ...] = (0.1, 0.2, 0.3, 0.9, 1.0)
    bootstrapped: tuple[float, float] = (0.13, 0.47)

    @model_validator(mode="after")
    def _goes_together(self) -> STCNSettings:
        if len(self.jumps) != len(self.jumps_until) or min(self.jumps, default=0) < 1:
            raise ValueError("jumps and jumps_until must have the same length, and jumps must be at least 1")
        if self.imagenet is not None and self.key_encoder != "resnet50":
            raise ValueError(f"imagenet is for key_encoder=resnet50, not {self.key_encoder}")
        return self


class AnatomySettings(Settings):
    """Real anatomy to learn from without annotating it: label maps made into images, regions of scans.

    Attributes:
        label_maps: folders of label maps (NIfTI); each folder below is a source.
        scans: folders of scans (NIfTI); where ``images/NAME`` has ``labels/NAME`` beside it, those are learned too.
        held_out: patterns of files that validate, such as ``label_maps/heart/*``; whole sources or patients.
        volumes: how many volumes are made of them; they are kept in the run's folder.
    """

    label_maps: tuple[Path, ...] = ()
    scans: tuple[Path, ...] = ()
    held_out: tuple[str, ...] = ()
    volumes: int = Field(default=800, ge=1)


class PropagationSettings(RunSettings):
    """A training.

    Attributes:
        data: scans; None for synthetic ones without end, for the small network.
        anatomy: label maps and scans to learn from beside the synthetic ones, for the small network.
        network: which, and what belongs to it.
        init: initial weights; the small network begins with the bundled ones where there are scans or anatomy.
        workers: processes that prepare scans.
        optimiser: AdamW and its rate.
    """

    data: CohortSettings | None = None
    anatomy: AnatomySettings | None = None
    network: FastSettings | STCNSettings = Field(default=FastSettings(), discriminator="name")
    init: Path | None = None
    workers: int = Field(default=1, ge=0)
    optimiser: PropagationOptimiser = PropagationOptimiser()

    @model_validator(mode="after")
    def _has_scans(self) -> PropagationSettings:
        if self.data is None and self.network.name != "fast":
            raise ValueError(f"data.scans is missing: the network {self.network.name} learns from scans")
        if self.init is not None and self.network.name == "stcn" and self.network.imagenet is not None:
            raise ValueError("init and network.imagenet: give one of them")
        return self
