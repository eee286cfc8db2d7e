"""Training the small network: roll-outs with its own predictions fed back.

References:
    Ross, Gordon, Bagnell: A reduction of imitation learning and structured prediction to no-regret online learning,
    AISTATS 2011 (learning on what one's own mistakes lead to).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule

from ivos.nets.fast import FastNet
from ivos.propagation.tracks import VIEW_PIXELS, Track, answer, gather, reference_of

if TYPE_CHECKING:
    from torch import Tensor

    from ivos.training.sequences import Sequence

_EMA_DECAY = 0.998
_FAR_REFERENCE = 0.25  # share of sequences whose last slice is drawn too
_OTHERS_HIDDEN = 0.5  # share of sequences in which no other structure has been drawn


class PropagationTraining(LightningModule):
    """Learns from sequences: at every slice the network goes on from its own last answer.

    Args:
        learning_rate: at its highest.
        steps: how many optimiser steps the training takes.
    """

    def __init__(self, *, learning_rate: float = 2e-3, steps: int = 10_000) -> None:
        super().__init__()
        self._learning_rate, self._steps = learning_rate, steps
        self.network = FastNet()
        self.average = torch.optim.swa_utils.AveragedModel(
            self.network,
            multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(_EMA_DECAY),  # type: ignore[no-untyped-call]
            use_buffers=True,
        )

    @property
    def averaged_network(self) -> FastNet:
        """The network whose weights are the running average of those that were trained."""
        return cast("FastNet", self.average.module)

    def training_step(self, batch: list[Sequence], number: int) -> Tensor:  # noqa: ARG002
        """Mean loss over the slices of some sequences."""
        rng = np.random.default_rng(self.global_step)
        loss, dice = self._rolled_out(self.network, batch, rng)
        self.log_dict({"loss": loss, "dsc": dice}, prog_bar=True, batch_size=len(batch))
        return loss

    def transfer_batch_to_device(self, batch: list[Sequence], device: torch.device, number: int) -> list[Sequence]:  # noqa: ARG002
        """Sequences stay where they are: views are cut on the CPU."""
        return batch

    def validation_step(self, batch: list[Sequence], number: int) -> None:
        """DSC of the averaged network on sequences that are not trained on."""
        _, dice = self._rolled_out(self.averaged_network, batch, np.random.default_rng(number))
        self.log("val_dsc", dice, prog_bar=True, batch_size=len(batch))

    def on_train_batch_end(self, *_: Any) -> None:
        """Move the averaged network on."""
        self.average.update_parameters(self.network)

    def configure_optimizers(self) -> Any:
        """AdamW with one cycle of the learning rate."""
        rate = self._learning_rate
        optimiser = torch.optim.AdamW(self.network.parameters(), lr=rate, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=self._steps + 1, pct_start=0.05)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _rolled_out(self, network: Any, sequences: list[Sequence], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        tracks = [_started(s, rng) for s in sequences]
        hidden = [rng.random() < _OTHERS_HIDDEN for _ in sequences]
        losses, scores = [], []
        for t in range(1, len(sequences[0].numbers)):
            now = [n for n, track in enumerate(tracks) if track.look()]
            if not now:
                break
            others = [sequences[n].others[t - 1] * (not hidden[n]) for n in now]
            images = [sequences[n].images[t] for n in now]
            shown = gather([tracks[n] for n in now], images, others, [sequences[n].numbers[t] for n in now])
            logits, presence = answer(network, shown.to(self.device))
            truth = np.stack([_view(tracks[n], sequences[n].masks[t]) for n in now])
            target = torch.from_numpy(truth)[:, None].to(self.device)
            losses.append(_loss(logits, presence, target))
            seen = logits.detach().sigmoid() * (presence.detach().sigmoid() > 0.5)[:, None, None, None]
            for n, probabilities in zip(now, seen[:, 0].cpu().numpy(), strict=True):
                tracks[n].image = sequences[n].images[t]
                mask = tracks[n].mask
                view = tracks[n].view
                assert view is not None  # noqa: S101 - it was looked for
                tracks[n].mask = view.paste(probabilities, (mask.shape[0], mask.shape[1]))
            scores += [_dsc(tracks[n].mask, sequences[n].masks[t]) for n in now]
        found = [score for score in scores if score is not None]
        return torch.stack(losses).mean(), torch.tensor(np.mean(found) if found else 0.0)


def _started(sequence: Sequence, rng: np.random.Generator) -> Track:
    """A track at the drawn slice; sometimes the far end is drawn too."""
    track = Track(sequence.images[0], sequence.masks[0])
    places = [0] + [len(sequence.numbers) - 1] * (rng.random() < _FAR_REFERENCE)
    for place in places:
        reference = reference_of(sequence.numbers[place], sequence.images[place], sequence.masks[place])
        if reference is not None:
            track.references.append(reference)
    return track


def _view(track: Track, mask: Any) -> Any:
    assert track.view is not None  # noqa: S101 - it was looked for
    return (track.view.cut(mask, VIEW_PIXELS) > 0.5).astype(np.float32)


def _loss(logits: Tensor, presence: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy and Dice of the masks, Dice only where there is something; cross-entropy of presence."""
    probabilities = logits.sigmoid()
    there = (target.sum((1, 2, 3)) > 0).float()
    shared, both = (probabilities * target).sum((1, 2, 3)), (probabilities + target).sum((1, 2, 3))
    overlap = 1 - (2 * shared + 1) / (both + 1)
    masks = 3 * F.binary_cross_entropy_with_logits(logits, target) + (overlap * there).sum() / there.sum().clamp(min=1)
    return masks + 0.3 * F.binary_cross_entropy_with_logits(presence, there)


def _dsc(found: Any, true: Any) -> float | None:
    together = (found > 0.5).sum() + true.sum()
    return 2 * float(((found > 0.5) & (true > 0.5)).sum()) / float(together) if together else None
