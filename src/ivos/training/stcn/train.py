"""Training of STCN on the user's scans."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from lightning.pytorch import seed_everything
from torch.utils.data import DataLoader

from ivos.errors import InputError
from ivos.nets.checkpoints import load_stcn
from ivos.nets.imagenet import load_resnet
from ivos.nets.stcn import STCN
from ivos.training.data.cases import chosen_cases
from ivos.training.record import record_of
from ivos.training.run import Run, resolve_settings
from ivos.training.stcn.clips import ClipSamples, collate_clips
from ivos.training.stcn.module import STCNTraining

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.training.continuing import OnChange
    from ivos.training.propagation_settings import PropagationSettings, STCNSettings

_STEPS, _RATE = 150_000, 1e-4
_TUNING_STEPS, _TUNING_RATE = 20_000, 1e-5


def train_stcn(settings: PropagationSettings, folder: Path, *, on_change: OnChange = "refuse") -> Path:
    """Train with the given settings.

    Args:
        settings: of the training; the network is STCN.
        folder: for checkpoints, the logs and the settings; an existing run is resumed.
        on_change: what to do if the data of an existing run have changed or it stopped early.

    Returns:
        The averaged network's weights, of the best validation where there was one.

    Raises:
        InputError: the scans or weights are not what the settings ask for, or the folder holds another run.
    """
    steps, rate = (_STEPS, _RATE) if settings.init is None else (_TUNING_STEPS, _TUNING_RATE)
    settings = resolve_settings(settings, folder, steps=steps, rate=rate, on_change=on_change)
    assert settings.data is not None  # noqa: S101 - the settings see to it
    own = cast("STCNSettings", settings.network)
    seed_everything(settings.seed, verbose=False)
    initial = _initial_network(settings, own)
    cases = chosen_cases(settings.data, folder, settings.seed)
    record = record_of(settings, cases, unlabelled=own.learn_from.cycle > 0)
    run = Run(folder, settings, validates=bool(cases.validating), record=record, on_change=on_change)
    samples = ClipSamples(
        cases.training,
        cases.unlabelled,
        own,
        steps=settings.total_steps,
        per_step=own.batch * settings.optimiser.accumulate * run.trainer.world_size,
        seed=settings.seed,
    )
    clips: DataLoader[Any] = DataLoader(
        samples,
        batch_size=own.batch,
        sampler=run.samples(own.batch),
        num_workers=settings.workers,
        collate_fn=collate_clips,
    )
    scans: DataLoader[Any] = DataLoader(cases.validating, batch_size=1, collate_fn=list)  # type: ignore[arg-type]
    published = settings.init is not None or own.imagenet is not None
    return run.fit_network(
        initial,
        partial(STCNTraining, frozen_norms=published),
        clips,
        scans,
        "stcn.safetensors",
    )


def _initial_network(settings: PropagationSettings, own: STCNSettings) -> STCN:
    """The network that the training begins with."""
    if settings.init is not None:
        initial = load_stcn(settings.init)
        if initial.encoder_name != own.key_encoder:
            raise InputError(f"{settings.init}: its key encoder is {initial.encoder_name}, not {own.key_encoder}")
        return initial
    network = STCN(encoder=own.key_encoder)
    if own.imagenet is not None:
        for encoder, path in zip((network.key_encoder, network.value_encoder.resnet), own.imagenet, strict=True):
            load_resnet(encoder, path)
    return network
