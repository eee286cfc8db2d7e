"""What all trainings share: AdamW, learning-rate schedules, a running average of the weights, reproducible steps."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import LightningModule

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import nn

    from ivos.training.run_settings import OptimiserSettings, RunSettings

_POLY_POWER = 0.9
_LATE = 0.3  # share of the steps over which a late schedule falls


class Training(LightningModule):
    """Trains a network and keeps the running average of its weights.

    Args:
        network: initial network.
        settings: of the run.
        rate: peak learning rate.

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
        """AdamW over the network, with its learning-rate schedule."""
        return build_optimiser(self.network.parameters(), self._run.optimiser, self.rate, self._run.total_steps)


def build_optimiser(parameters: Iterable[nn.Parameter], chosen: OptimiserSettings, rate: float, steps: int) -> Any:
    """What a LightningModule's ``configure_optimizers`` gives.

    Args:
        parameters: to train.
        chosen: the settings.
        rate: the peak learning rate.
        steps: of the training.
    """
    optimiser = torch.optim.AdamW(parameters, lr=rate, weight_decay=chosen.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, partial(rate_factor, chosen, steps))
    return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def rate_factor(chosen: OptimiserSettings, steps: int, step: int) -> float:
    """The rate at a step as a share of the highest one."""
    rising = min(1.0, (step + 1) / (min(chosen.warm_up, steps) + 1))
    left = max(0.0, 1 - step / steps)
    if chosen.schedule == "poly":
        return rising * math.pow(left, _POLY_POWER)
    if chosen.schedule == "cosine":
        return rising * (0.5 - 0.5 * math.cos(math.pi * left))
    if chosen.schedule == "late":
        return min(rising, left / _LATE)
    if chosen.schedule == "multistep":
        return rising * 0.1 ** sum(step >= drop * steps for drop in chosen.drops)
    return rising


def describe_schedule(chosen: OptimiserSettings, rate: float, done: int, before: int, now: int) -> str:
    """What becomes of the rate of a run that continues with another number of steps, in words.

    Args:
        chosen: the settings.
        rate: the peak learning rate.
        done: steps done.
        before: steps in all, until now.
        now: steps in all, from now on.
    """
    old, new = (rate * rate_factor(chosen, steps, done) for steps in (before, now))
    spans = "stays as it is" if old == new else f"spans {now} steps now, not {before}"
    return (
        f"optimiser.schedule={chosen.schedule} {spans}: the learning rate at step {done} is {new:.1e} (was {old:.1e})"
    )
