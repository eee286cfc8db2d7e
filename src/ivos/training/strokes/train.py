"""Training of the network for strokes on synthetic slices."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from lightning.pytorch import seed_everything
from torch.utils.data import DataLoader

from ivos.nets.checkpoints import load_strokes
from ivos.nets.strokes import StrokesNet
from ivos.training.record import record_of
from ivos.training.run import Run, resolve_settings
from ivos.training.streaming import streaming_loader
from ivos.training.strokes.examples import Examples
from ivos.training.strokes.module import StrokesTraining
from ivos.training.strokes.rollouts import PromptRollouts

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.training.continuing import OnChange
    from ivos.training.strokes.settings import StrokesSettings

_STEPS, _RATE = 10_000, 2e-3
_HELD_OUT, _HELD_OUT_FIRST = 96, 2 * 10**9  # slices of scans that no training sees


def train_strokes(settings: StrokesSettings, folder: Path, *, on_change: OnChange = "refuse") -> Path:
    """Train with the given settings.

    Args:
        settings: of the training.
        folder: for checkpoints, the logs and the settings; an existing run is resumed.
        on_change: what to do if the data of an existing run have changed or it stopped early.

    Returns:
        The averaged network's weights, of the best validation.

    Raises:
        InputError: the initial weights are not of this network, or the folder holds another run.
    """
    settings = resolve_settings(settings, folder, steps=_STEPS, rate=_RATE, on_change=on_change)
    seed_everything(settings.seed, verbose=False)
    initial = load_strokes(settings.init) if settings.init is not None else StrokesNet()
    run = Run(folder, settings, validates=True, record=record_of(settings), on_change=on_change)
    examples = Examples(first=run.first_scan(), step=run.trainer.world_size)  # a step begins less than one scan
    held_out: DataLoader[Any] = DataLoader(
        list(islice(Examples(first=_HELD_OUT_FIRST), _HELD_OUT)),  # type: ignore[arg-type]
        batch_size=_HELD_OUT // 2,
        collate_fn=list,
    )
    rollouts = PromptRollouts(streaming_loader(examples, settings.workers), settings.batch)
    return run.fit_network(
        initial,
        StrokesTraining,
        rollouts,
        held_out,
        "strokes.safetensors",
    )
