"""Training of the fusion network on simulated corrections of synthetic scans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lightning.pytorch import seed_everything
from torch.utils.data import DataLoader

from ivos.nets.fusion import OURS, FusionNet
from ivos.propagation.engines.registry import create_engine
from ivos.training.fusion.data import FusionData, NamedData, load_samples
from ivos.training.fusion.module import FusionTraining
from ivos.training.record import record_of
from ivos.training.run import Run, resolve_settings

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.training.continuing import OnChange
    from ivos.training.fusion.settings import FusionSettings
    from ivos.types import Progress

_STEPS, _RATE = 5000, 2e-3
_APART = 10**6  # numbers of sessions for each seed; those below it validate
_HELD_OUT = 16


def train_fusion(
    settings: FusionSettings,
    folder: Path,
    progress: Progress | None = None,
    *,
    on_change: OnChange = "refuse",
) -> Path:
    """Train with the given settings.

    Args:
        settings: of the training.
        folder: for samples, checkpoints, the logs and the settings; an existing run is resumed.
        progress: called with scans corrected and scans to correct, before the training.
        on_change: what to do if an existing run stopped early or has other settings.

    Returns:
        The averaged network's weights, of the best validation.

    Raises:
        InputError: the folder holds another run, damaged files, or cannot be written to.
    """
    settings = resolve_settings(settings, folder, steps=_STEPS, rate=_RATE, on_change=on_change)
    seed_everything(settings.seed, verbose=False)
    initial, engine = FusionNet(OURS), create_engine("fast")
    first = (settings.seed + 1) * _APART
    held_out = load_samples(folder / "samples", range(min(_HELD_OUT, settings.scans)), engine)
    samples = load_samples(folder / "samples", range(first, first + settings.scans), engine, progress)
    run = Run(folder, settings, validates=True, record=record_of(settings), on_change=on_change)
    training: DataLoader[Any] = DataLoader(
        NamedData(FusionData(samples, settings.seed)), batch_size=settings.batch, sampler=run.samples(settings.batch)
    )
    validating: DataLoader[Any] = DataLoader(FusionData(held_out), batch_size=settings.batch)
    return run.fit_network(
        initial,
        FusionTraining,
        training,
        validating,
        "fusion.safetensors",
    )
