"""Training of the refinement network: propagates volumes first, then learns to correct the results."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from lightning.pytorch import seed_everything
from torch.utils.data import DataLoader

from ivos.files import replacing
from ivos.nets.checkpoints import load_refine
from ivos.nets.refine import RefineNet
from ivos.propagation.engines.registry import create_engine
from ivos.training.anatomy.volumes import AnatomyVolumes, files_by_use, sources_of
from ivos.training.fast.scans import synthetic
from ivos.training.record import record_of
from ivos.training.refine.crops import crops_of, save_crops
from ivos.training.refine.module import RefinementTraining
from ivos.training.refine.samples import Samples, collate, held_out_samples
from ivos.training.run import Run, resolve_settings

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.training.continuing import OnChange
    from ivos.training.propagation_settings import AnatomySettings
    from ivos.training.refine.settings import RefinementSettings
    from ivos.types import Progress

_STEPS, _RATE = 8000, 2e-3
_APART = 10**10  # numbers of volumes for each seed
_HELD_OUT_FIRST = 3 * 10**9  # volumes that no training sees
_HELD_OUT_SHARE, _MOST_HELD_OUT = 0.15, 40


def train_refinement(
    settings: RefinementSettings,
    folder: Path,
    progress: Progress | None = None,
    *,
    on_change: OnChange = "refuse",
) -> Path:
    """Train with the given settings.

    Args:
        settings: of the training.
        folder: for crops, checkpoints, the logs and the settings; an existing run is resumed.
        progress: called with volumes propagated and volumes to propagate.
        on_change: what to do if the data of an existing run have changed or it stopped early.

    Returns:
        The averaged network's weights, of the best validation.

    Raises:
        InputError: the initial weights are not of this network, or the folder holds another run.
    """
    settings = resolve_settings(settings, folder, steps=_STEPS, rate=_RATE, on_change=on_change)
    seed_everything(settings.seed, verbose=False)
    initial = load_refine(settings.init) if settings.init is not None else RefineNet()
    record = record_of(settings, made_of=files_by_use(settings.anatomy))
    run = Run(folder, settings, validates=True, record=record, on_change=on_change)
    files, held_out_files = _prepare(settings, folder / "crops", progress)
    samples: DataLoader[Any] = DataLoader(
        Samples(files, first=run.first_scan(settings.batch), step=run.trainer.world_size),
        batch_size=settings.batch,
        num_workers=settings.workers,
        collate_fn=collate,
    )
    held_out: DataLoader[Any] = DataLoader(
        held_out_samples(held_out_files),  # type: ignore[arg-type]
        batch_size=1,
        collate_fn=collate,
    )
    return run.fit_network(
        initial,
        RefinementTraining,
        samples,
        held_out,
        "refine.safetensors",
    )


def _prepare(settings: RefinementSettings, folder: Path, progress: Progress | None) -> tuple[list[Path], list[Path]]:
    """Files of crops to learn from and to validate on; those that are there already are not made again."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = [settings.seed * _APART + n for n in range(settings.volumes)]
    count = int(np.clip(_HELD_OUT_SHARE * settings.volumes, 1, _MOST_HELD_OUT))
    held_out = [_HELD_OUT_FIRST + n for n in range(count)]
    tasks = [(number, folder / f"{number}.npz") for number in (*held_out, *numbers)]
    missing = [task for task in tasks if not task[1].exists()]
    with ProcessPoolExecutor(max(1, settings.workers), get_context("spawn")) as pool:
        jobs = [
            pool.submit(_propagate_volume, number, path, settings.anatomy, settings.propagation)
            for number, path in missing
        ]
        for done, job in enumerate(jobs, start=1 + len(tasks) - len(missing)):
            job.result()
            if progress is not None:
                progress(done, len(tasks))
    return [path for _, path in tasks[count:]], [path for _, path in tasks[:count]]


def _propagate_volume(number: int, path: Path, anatomy: AnatomySettings | None, propagation: Path | None) -> None:
    """Write the crops of one volume."""
    torch.set_num_threads(1)
    held_out = number >= _HELD_OUT_FIRST and number < _APART
    make = synthetic if anatomy is None else _volumes(anatomy.model_dump_json(), held_out=held_out)
    crops = crops_of(make(number), _engine(propagation), np.random.default_rng((number, 10)))
    with replacing(path) as temporary:
        save_crops(crops, temporary)


@cache
def _engine(propagation: Path | None) -> Any:
    return create_engine("fast", checkpoint=propagation)


@cache
def _volumes(anatomy: str, *, held_out: bool) -> AnatomyVolumes:
    from ivos.training.propagation_settings import AnatomySettings

    sources = sources_of(AnatomySettings.model_validate_json(anatomy), held_out=held_out)
    return AnatomyVolumes(sources)
