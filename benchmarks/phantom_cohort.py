"""The cohort of phantoms that reference networks are trained and measured on, and the training of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ivos.config import load_settings
from ivos.io.write import write_volume
from ivos.phantom import abdomen
from ivos.training.data.prepare import prepare
from ivos.training.reference.settings import ReferenceSettings
from ivos.training.reference.train import train_reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivos.volume.geometry import Shape

_LABELLED, _UNLABELLED, _TESTED = 4, 16, 8
SHAPE: Shape = (48, 128, 128)
FIRST_SEED = 5000
_CONFIGS = Path(__file__).parent.parent / "configs" / "laptop" / "reference"


def train_networks(prepared: Path, method: str, run: Path, changes: Sequence[str]) -> list[Path]:
    """The weights' files of a training on all labelled cases by the laptop recipe of that name.

    Args:
        prepared: folder of the prepared cohort.
        method: the recipe.
        run: the run's folder; a run that ended there is not repeated, one that was stopped is resumed.
        changes: ``key=value`` settings beside those of the recipe.
    """
    settings = laptop(method, prepared, changes)
    found = sorted(run.glob("reference*.safetensors"))
    return found if len(found) == len(settings.networks) else train_reference(settings, run)


def laptop(method: str, prepared: Path, changes: Sequence[str]) -> ReferenceSettings:
    """The laptop recipe of that name, on all labelled cases of a prepared cohort, with ``key=value`` changes."""
    given: list[str | Path] = [_CONFIGS / f"{method}.yaml", f"data.scans={prepared}", "data.fold=null", *changes]
    return load_settings(ReferenceSettings, given)


def prepare_cohort(place: Path) -> Path:
    """The prepared cohort in a folder, made where it is not there."""
    write_cohort(place / "raw")
    prepare(place / "raw", place / "prepared")
    return place / "prepared"


def networks(place: Path, steps: int) -> list[Path]:
    """Two networks that taught each other on the cohort's labelled and unlabelled phantoms at 96 x 96.

    Args:
        place: folder of the cohort, ``prepared/`` and the run; what is there is not made again.
        steps: optimiser steps.
    """
    return train_networks(
        prepare_cohort(place), "cps", place / "cps", ["data.size=96", "data.batch=4", f"steps={steps}"]
    )


def write_cohort(folder: Path) -> None:
    """4 labelled, 16 unlabelled and 8 test phantoms in nnU-Net's layout; those that are there stay as they are."""
    for number in range(_LABELLED + _UNLABELLED + _TESTED):
        tested = number >= _LABELLED + _UNLABELLED
        scan = folder / ("imagesTs" if tested else "imagesTr") / f"phantom_{number:02d}_0000.nii.gz"
        labels = folder / ("labelsTs" if tested else "labelsTr") / f"phantom_{number:02d}.nii.gz"
        labelled = tested or number < _LABELLED
        if scan.exists() and (labels.exists() or not labelled):
            continue
        phantom = abdomen(FIRST_SEED + number, shape=SHAPE)
        write_volume(scan, phantom.scan)
        if labelled:
            write_volume(labels, phantom.labels)
