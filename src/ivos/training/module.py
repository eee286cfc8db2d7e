"""What all trainings have in common: AdamW, a running average of the weights, and steps that repeat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import LightningModule

from ivos.training.optimiser import optimiser_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from ivos.training.run_settings import RunSettings


class Training(LightningModule):
    """Trains a network and keeps the running average of its weights.

    Args:
        network: to begin with.
        settings: of the run.
        rate: learning rate at its highest.

    Attributes:
        rate: see above; the learning-rate finder sets it.
        network: what is trained.
        average: a copy that follows its weights, the statistics of its norms too.
    """

    def __init__(self, network: nn.Module, settings: RunSettings, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self._run = settings
        self.network = network
        follow = torch.optim.swa_utils.get_ema_multi_avg_fn(settings.optimiser.average)  # type: ignore[no-untyped-call]
        self.average = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=follow, use_buffers=True)
        self.average.requires_grad_(requires_grad=False)

    @property
    def averaged_network(self) -> Any:
        """The network whose weights are the running average of those that were trained."""
        return self.average.module

    @property
    def progress(self) -> float:
        """How far the training is, 0..1."""
        return self.global_step / self._run.total_steps

    def cases_of(self, batch: Any) -> Sequence[str]:
        """Names of the cases that a batch is of."""
        raise NotImplementedError

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """What is random in a step depends on its number alone, so that a run that is taken up again is the same."""
        part = batch_idx % self._run.optimiser.accumulate
        torch.manual_seed(hash((self._run.seed, self.global_step, part, self.global_rank)) % 2**63)

    def optimizer_step(self, *arguments: Any, **named: Any) -> None:
        """Step, and move the average on: before a checkpoint is saved, so that one holds both."""
        super().optimizer_step(*arguments, **named)
        self.average.update_parameters(self.network)

    def configure_optimizers(self) -> Any:
        """AdamW over the network, its rate going by the schedule."""
        return optimiser_of(self.network.parameters(), self._run.optimiser, self.rate, self._run.total_steps)
