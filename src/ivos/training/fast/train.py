"""Training of the small network: on synthetic scans, or fine-tuning of the bundled weights on the user's scans."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from lightning.pytorch import seed_everything
from torch.utils.data import DataLoader

from ivos.errors import InputError
from ivos.nets.checkpoints import load_fast
from ivos.nets.fast import FastNet
from ivos.training.anatomy.volumes import AnatomyVolumes, StoredVolumes, files_by_use, sources_of
from ivos.training.data.cases import chosen_cases
from ivos.training.data.store import StoredScan
from ivos.training.fast.examples import Examples
from ivos.training.fast.module import FastTraining
from ivos.training.fast.rollouts import Rollouts
from ivos.training.fast.scans import LabelledScan, OwnScans, part_in_turn, synthetic
from ivos.training.record import record_of
from ivos.training.run import Run, resolve_settings
from ivos.training.streaming import streaming_loader

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ivos.training.continuing import OnChange
    from ivos.training.fast.examples import Example
    from ivos.training.propagation_settings import PropagationSettings

Volumes = Callable[[int], LabelledScan]

_STEPS, _RATE = 10_000, 2e-3
_TUNING_STEPS, _TUNING_RATE = 1000, 5e-4
_ROLLOUTS = 32  # under way at once
_APART = 10**10  # numbers of volumes for each seed
_HELD_OUT, _HELD_OUT_FIRST = 64, 10**9  # walks over scans that no training sees
_PER_HELD_OUT_SCAN = 4


def train_fast(settings: PropagationSettings, folder: Path, *, on_change: OnChange = "refuse") -> Path:
    """Train with the given settings.

    Args:
        settings: of the training.
        folder: for checkpoints, the logs and the settings; an existing run is resumed.
        on_change: what to do if the data of an existing run have changed or it stopped early.

    Returns:
        The averaged network's weights, of the best validation where there was one.

    Raises:
        InputError: the scans or weights are not what the settings ask for, or the folder holds another run.
    """
    tuning, continues = settings.data is not None, settings.data is not None or settings.anatomy is not None
    if settings.anatomy is not None and tuning:
        raise InputError("data and anatomy: give one of them")
    steps, rate = (_TUNING_STEPS if tuning else _STEPS), (_TUNING_RATE if continues else _RATE)
    settings = resolve_settings(settings, folder, steps=steps, rate=rate, on_change=on_change)
    seed_everything(settings.seed, verbose=False)
    initial = load_fast(settings.init) if continues or settings.init is not None else FastNet()
    cases = None if settings.data is None else chosen_cases(settings.data, folder, settings.seed)
    training = [] if cases is None else [StoredScan(path) for path in cases.training]
    validating = [] if cases is None else [StoredScan(path) for path in cases.validating]
    record = record_of(settings, cases, made_of=files_by_use(settings.anatomy))
    run = Run(folder, settings, validates=not tuning or bool(validating), record=record, on_change=on_change)
    learned, held_out_volumes = _volumes(settings, folder)
    examples = Examples(
        OwnScans(training) if tuning else learned, first=run.first_scan(), step=run.trainer.world_size
    )  # a step begins less than one scan
    held_out: DataLoader[Any] = DataLoader(
        _held_out(validating, held_out_volumes) if run.validates else [],  # type: ignore[arg-type]
        batch_size=_HELD_OUT // 2,
        collate_fn=list,
    )
    rollouts = Rollouts(streaming_loader(examples, settings.workers), _ROLLOUTS)
    return run.fit_network(initial, FastTraining, rollouts, held_out, "fast.safetensors")


def _volumes(settings: PropagationSettings, folder: Path) -> tuple[Volumes, Volumes]:
    """Synthetic volumes, or those of the settings' anatomy: to learn from and to validate on."""
    anatomy = settings.anatomy
    if anatomy is None:
        return synthetic, synthetic
    kept = folder / "volumes"
    learned = AnatomyVolumes(sources_of(anatomy, held_out=False))
    held_out = sources_of(anatomy, held_out=True)
    return (
        StoredVolumes(learned, kept, anatomy.volumes, first=settings.seed * _APART),
        AnatomyVolumes(held_out, phantoms=False) if held_out else synthetic,
    )


def _held_out(scans: Sequence[StoredScan], volumes: Volumes) -> list[Example]:
    """Walks to validate on: over parts of scans in turn, or over volumes that no training sees."""
    source = partial(part_in_turn, scans) if scans else volumes
    return list(islice(Examples(source, first=_HELD_OUT_FIRST, per_scan=_PER_HELD_OUT_SCAN), _HELD_OUT))
