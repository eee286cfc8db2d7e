"""Lightning callbacks of a run: checkpoints, early stopping, and a stop at values that are not finite."""

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
from ivos.training.data.patients import list_names

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer
    from torch import Tensor

    from ivos.training.module import Training

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
        """The state that a resumed run needs."""
        return {"best": self._best, "waited": self._waited}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state; without a best checkpoint the best score is reset, and a stopped run waits again."""
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
    """A checkpoint of a run, with lazily loaded tensors; empty if there is no file.

    Raises:
        InputError: damaged, or with weights that are not finite.
    """
    if not path.exists():
        return {}
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, OSError, EOFError, pickle.UnpicklingError, ValueError) as error:
        raise InputError(f"{path}: a damaged checkpoint; restart the run with --restart") from error
    check_finite(content.get("state_dict", {}), path)
    return content


class FiniteOnly(Callback):
    """Stops a run whose loss or gradients are not finite, before the weights are updated.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._batch = folder, None

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Keep the batch, to name its cases."""
        self._batch = batch

    def on_before_backward(self, trainer: Trainer, pl_module: Training, loss: Tensor) -> None:  # type: ignore[override]
        """Check the loss.

        Raises:
            InputError: it is not finite.
        """
        if not torch.isfinite(loss):
            self._stop(trainer, pl_module, f"the loss is {float(loss.detach()):g}")

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: Training, optimizer: Any) -> None:  # type: ignore[override] # noqa: ARG002
        """Check the gradients.

        Raises:
            InputError: they are not finite.
        """
        norms = [p.grad.detach().norm() for p in pl_module.parameters() if p.grad is not None]
        if norms and not torch.isfinite(torch.stack(norms)).all():
            self._stop(trainer, pl_module, "the gradients are not finite")

    def _stop(self, trainer: Trainer, module: Training, what: str) -> None:
        cases = list(dict.fromkeys(case for case in module.cases_of(self._batch) if case))
        raise InputError(
            f"{self._folder}: stopped at step {trainer.global_step}: {what}, on {list_names(cases)}; "
            "check these scans, or lower optimiser.rate; the last checkpoint is intact; "
            "run the same command to resume from it"
        )


def check_module(module: torch.nn.Module, folder: Path, step: int) -> None:
    """Refuse weights that are not finite.

    Raises:
        InputError: some are not finite.
    """
    if not all(torch.isfinite(v).all() for v in module.state_dict().values() if v.is_floating_point()):
        raise InputError(
            f"{folder}: stopped at step {step}: the weights are not finite and were not saved; lower optimiser.rate; "
            "the last checkpoint is intact; run the same command to resume from it"
        )
