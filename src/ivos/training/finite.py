"""A training stops where its numbers are no longer finite, and says on which cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import Callback

from ivos.errors import InputError
from ivos.training.data.patients import listed

if TYPE_CHECKING:
    from pathlib import Path

    from lightning.pytorch import LightningModule, Trainer
    from torch import Tensor

    from ivos.training.module import Training


class FiniteOnly(Callback):
    """Ends a run whose loss or gradients are not finite, before its weights are touched.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._batch = folder, None

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Keep the batch, to name its cases."""
        self._batch = batch

    def on_before_backward(self, trainer: Trainer, pl_module: Training, loss: Tensor) -> None:  # type: ignore[override]
        """Look at the loss.

        Raises:
            InputError: it is not finite.
        """
        if not torch.isfinite(loss):
            self._stop(trainer, pl_module, f"the loss is {float(loss.detach()):g}")

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: Training, optimizer: Any) -> None:  # type: ignore[override] # noqa: ARG002
        """Look at the gradients.

        Raises:
            InputError: they are not finite.
        """
        norms = [p.grad.detach().norm() for p in pl_module.parameters() if p.grad is not None]
        if norms and not torch.isfinite(torch.stack(norms)).all():
            self._stop(trainer, pl_module, "the gradients are not finite")

    def _stop(self, trainer: Trainer, module: Training, what: str) -> None:
        cases = list(dict.fromkeys(case for case in module.cases_of(self._batch) if case))
        raise InputError(
            f"{self._folder}: stopped at step {trainer.global_step}: {what}, on {listed(cases)}; look at these scans, "
            "or lower optimiser.rate; the last checkpoint is kept, and the same command continues from it"
        )


def check_module(module: torch.nn.Module, folder: Path, step: int) -> None:
    """Whether the weights of a training may be kept.

    Raises:
        InputError: some are not finite.
    """
    if not all(torch.isfinite(v).all() for v in module.state_dict().values() if v.is_floating_point()):
        raise InputError(
            f"{folder}: stopped at step {step}: the weights are not finite, and are not kept; lower optimiser.rate; "
            "the last checkpoint is kept, and the same command continues from it"
        )
