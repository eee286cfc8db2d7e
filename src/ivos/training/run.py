"""A training run in a folder: it goes on where it stopped."""

from __future__ import annotations

import os
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

from ivos.device import has_bfloat16, pick_device
from ivos.nets.checkpoints import save_fast
from ivos.nets.fast import FastNet
from ivos.training.examples import Examples
from ivos.training.propagation import PropagationTraining
from ivos.training.resume import steps_done
from ivos.training.scans import OwnScans, part_in_turn, synthetic
from ivos.training.walks import Walks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ivos.training.examples import Example
    from ivos.volume.cases import LabelledCase

_SAVE_EVERY_STEPS, _VALIDATE_EVERY_STEPS = 100, 500
_WALKS = 32  # under way at once
_LEARNING_RATE, _FINE_TUNING_RATE = 2e-3, 5e-4
_HOLD_OUT_EVERY = 5  # so many cases: one of them is left for validation
_HELD_OUT, _HELD_OUT_FIRST = 128, 10**9  # walks over scans that no training sees


def train_propagation(
    folder: Path,
    *,
    steps: int,
    cases: Sequence[LabelledCase] = (),
    init: FastNet | None = None,
    seed: int = 0,
    workers: int = 1,
) -> Path:
    """Train the small network on synthetic scans, or go on from trained weights with the user's own scans.

    Args:
        folder: for checkpoints and the log; a run that is there already goes on.
        steps: optimiser steps in all.
        cases: labelled scans to train on; every fifth one is left for validation. None: synthetic scans.
        init: a network to begin with instead of one with random weights.
        seed: of weights and scans.
        workers: processes that make scans.

    Returns:
        The averaged network's weights.
    """
    seed_everything(seed, verbose=False)
    last = folder / "last.ckpt"
    network = FastNet() if init is None else init.train().requires_grad_()
    rate = _LEARNING_RATE if init is None else _FINE_TUNING_RATE
    module = PropagationTraining(network, learning_rate=rate, steps=steps)
    held_out_cases = cases[_HOLD_OUT_EVERY - 1 :: _HOLD_OUT_EVERY]
    training_cases = [case for case in cases if case not in held_out_cases]
    done = steps_done(last)
    first = (seed + 1) * 10**7 + done  # a step begins less than one scan: these have not been seen
    data: DataLoader[Any] = DataLoader(
        Examples(OwnScans(training_cases) if cases else synthetic, first=first),
        batch_size=None,
        num_workers=workers,
        prefetch_factor=32 if workers else None,
        worker_init_fn=_give_way,
    )
    held_out: DataLoader[Any] = DataLoader(
        _held_out(held_out_cases),  # type: ignore[arg-type]
        batch_size=_HELD_OUT // 2,
        collate_fn=list,
    )
    trainer = Trainer(
        max_steps=steps,
        accelerator="auto",
        precision="bf16-mixed" if has_bfloat16(pick_device()) else "32-true",
        logger=CSVLogger(folder, name="log", version=f"from_step_{done}"),
        callbacks=[ModelCheckpoint(folder, save_last=True, every_n_train_steps=_SAVE_EVERY_STEPS, save_top_k=0)],
        gradient_clip_val=1.0,
        log_every_n_steps=20,
        enable_model_summary=False,
        val_check_interval=min(_VALIDATE_EVERY_STEPS, steps),
        num_sanity_val_steps=0,
    )
    walks = Walks(data, _WALKS)
    trainer.fit(module, walks, held_out, ckpt_path=last if last.exists() else None, weights_only=True)
    trainer.save_checkpoint(last)
    save_fast(module.averaged_network, folder / "fast.safetensors")
    return folder / "fast.safetensors"


def _held_out(cases: Sequence[LabelledCase]) -> list[Example]:
    """Walks to validate on: over parts of cases in turn, or over synthetic scans."""
    source = partial(part_in_turn, cases) if cases else synthetic
    return list(islice(Examples(source, first=_HELD_OUT_FIRST), _HELD_OUT))


def _give_way(worker: int) -> None:  # noqa: ARG001
    """Let the training have the cores when it wants them: it waits for all its threads at every layer."""
    if hasattr(os, "nice"):
        os.nice(10)
