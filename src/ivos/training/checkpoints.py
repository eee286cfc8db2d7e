"""The checkpoints of a run: the last step, the best validation, and when to end."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import Callback
from lightning.pytorch.plugins.io import TorchCheckpointIO

from ivos.errors import InputError
from ivos.files import replacing
from ivos.nets.checkpoints import check_finite
from ivos.training.finite import check_module

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer

LAST, BEST = "last.ckpt", "best.ckpt"
SCORE = "val_dsc"


class Checkpoints(Callback):
    """Saves the last step, after its validation where it has one, and the step that validated best.

    Lightning's own callbacks save a step before its validation and forget whether they have asked for the end, so that
    a killed run would not end as one that was let be.

    Args:
        folder: of the run.
        save_every: steps from one checkpoint to the next.
        validate_every: steps from one validation to the next; None where nothing validates.
        patience: validations without a better one after which the run ends; None for never.
    """

    def __init__(self, folder: Path, *, save_every: int, validate_every: int | None, patience: int | None) -> None:
        self._folder, self._save_every, self._validate_every = folder, save_every, validate_every
        self._patience = patience
        self._best, self._waited = float("-inf"), 0
        self._seen = self._saved = 0  # the last step that was looked at: several batches may make one; the last saved

    def ended(self, state: dict[str, Any]) -> bool:
        """Whether a run of that state had waited long enough."""
        return self._patience is not None and int(state.get("waited", 0)) >= self._patience

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """A step that is there already is not saved again."""
        self._seen = trainer.global_step

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Save the step, unless its validation comes first."""
        step = trainer.global_step
        if step == self._seen:
            return
        self._seen = step
        validates = self._validate_every is not None and step % self._validate_every == 0
        if step % self._save_every == 0 and not validates:
            self.save_last(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the step; also as the best one if it is.

        Raises:
            InputError: its weights are not finite.
        """
        check_module(pl_module, self._folder, trainer.global_step)
        score = float(trainer.callback_metrics.get(SCORE, float("nan")))
        self._waited = 0 if score > self._best else self._waited + 1
        if score > self._best:
            self._best = score
            trainer.save_checkpoint(self._folder / BEST)
        if self._patience is not None and self._waited >= self._patience:
            trainer.should_stop = True
        self._saved = -1  # what was saved of the step did not know its validation
        self.save_last(trainer)

    def save_last(self, trainer: Trainer) -> None:
        """Save the step, if it is not saved yet.

        Raises:
            InputError: its weights are not finite.
        """
        if self._saved != trainer.global_step:
            check_module(trainer.lightning_module, self._folder, trainer.global_step)
            self._saved = trainer.global_step
            trainer.save_checkpoint(self._folder / LAST)

    def state_dict(self) -> dict[str, Any]:
        """What a run that goes on must know."""
        return {"best": self._best, "waited": self._waited}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it up; without the best checkpoint nothing has been best, and a run that had ended waits again."""
        there = (self._folder / BEST).exists()
        self._best = state_dict["best"] if there else float("-inf")
        self._waited = 0 if self.ended(state_dict) or not there else state_dict["waited"]


class WholeCheckpoints(TorchCheckpointIO):
    """Files that are whole or not there, wherever the system's temporary files lie."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:  # noqa: ARG002
        """Write a checkpoint."""
        with replacing(Path(path)) as temporary:
            torch.save(checkpoint, temporary)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint of a run, its tensors not read before they are used; empty where there is none.

    Raises:
        InputError: damaged, or with weights that are not finite.
    """
    if not path.exists():
        return {}
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, OSError, EOFError, pickle.UnpicklingError, ValueError) as error:
        raise InputError(f"{path}: a damaged checkpoint; begin the run again with --restart") from error
    check_finite(content.get("state_dict", {}), path)
    return content
