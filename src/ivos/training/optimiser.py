"""AdamW over a training."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import nn

    from ivos.training.run_settings import OptimiserSettings

_POLY_POWER = 0.9
_LATE = 0.3  # share of the steps over which a late schedule falls


def optimiser_of(parameters: Iterable[nn.Parameter], chosen: OptimiserSettings, rate: float, steps: int) -> Any:
    """What a LightningModule's ``configure_optimizers`` gives.

    Args:
        parameters: to train.
        chosen: the settings.
        rate: the learning rate at its highest.
        steps: of the training.
    """
    optimiser = torch.optim.AdamW(parameters, lr=rate, weight_decay=chosen.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, partial(share_of_rate, chosen, steps))
    return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def share_of_rate(chosen: OptimiserSettings, steps: int, step: int) -> float:
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


def stretched(chosen: OptimiserSettings, rate: float, done: int, before: int, now: int) -> str:
    """What becomes of the rate of a run that continues with another number of steps, in words.

    Args:
        chosen: the settings.
        rate: the learning rate at its highest.
        done: steps done.
        before: steps in all, until now.
        now: steps in all, from now on.
    """
    old, new = (rate * share_of_rate(chosen, steps, done) for steps in (before, now))
    spans = "stays as it is" if old == new else f"spans {now} steps now, not {before}"
    return (
        f"optimiser.schedule={chosen.schedule} {spans}: the learning rate at step {done} is {new:.1e} (was {old:.1e})"
    )
