"""A training run in a folder: it goes on where it stopped."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

from ivos.nets.checkpoints import save_fast
from ivos.training.propagation import PropagationTraining
from ivos.training.sequences import Sequences

_SAVE_EVERY_STEPS = 100
_VALIDATE_EVERY_STEPS = 500
_BATCH = 16
_HELD_OUT, _HELD_OUT_SEED = 48, 999_983  # sequences that no training sees, twice as long as those it learns from


def train_propagation(folder: Path, *, steps: int, seed: int = 0, length: int = 4, workers: int = 1) -> Path:
    """Train the small network on synthetic scans.

    Args:
        folder: for checkpoints and the log; a run that is there already goes on.
        steps: optimiser steps in all.
        seed: of weights and scans.
        length: slices of a roll-out.
        workers: processes that make scans.

    Returns:
        The averaged network's weights.
    """
    seed_everything(seed, verbose=False)
    last = folder / "last.ckpt"
    done = _steps_done(last)
    module = PropagationTraining(steps=steps)
    data: DataLoader[object] = DataLoader(
        Sequences(seed, length=length, first=done * _BATCH),
        batch_size=_BATCH,
        num_workers=workers,
        collate_fn=list,
        prefetch_factor=4 if workers else None,
    )
    trainer = Trainer(
        max_steps=steps,
        accelerator="auto",
        logger=CSVLogger(folder, name="", version=""),
        callbacks=[ModelCheckpoint(folder, save_last=True, every_n_train_steps=_SAVE_EVERY_STEPS, save_top_k=0)],
        gradient_clip_val=1.0,
        log_every_n_steps=20,
        enable_model_summary=False,
        val_check_interval=min(_VALIDATE_EVERY_STEPS, steps),
        num_sanity_val_steps=0,
    )
    held_out = list(islice(Sequences(_HELD_OUT_SEED, length=2 * length), _HELD_OUT))
    validation: DataLoader[object] = DataLoader(held_out, batch_size=_BATCH, collate_fn=list)  # type: ignore[arg-type]
    trainer.fit(module, data, validation, ckpt_path=last if last.exists() else None, weights_only=True)
    trainer.save_checkpoint(last)
    save_fast(module.averaged_network, folder / "fast.safetensors")
    return folder / "fast.safetensors"


def _steps_done(checkpoint: Path) -> int:
    if not checkpoint.exists():
        return 0
    import torch

    return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["global_step"])


Progress = "Callable[[int, int], None]"
