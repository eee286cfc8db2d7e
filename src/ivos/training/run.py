"""A training run in a folder: it resumes where it stopped, and keeps its last and its best checkpoint."""

from __future__ import annotations

import copy
import logging
import os
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.tuner.tuning import Tuner

from ivos.config import load_settings, save_settings
from ivos.device import has_bfloat16, pick_device
from ivos.errors import InputError
from ivos.nets.checkpoints import save_propagation
from ivos.training.callbacks import BEST, LAST, Checkpoints, FiniteOnly, WholeCheckpoints, read_checkpoint
from ivos.training.continuing import (
    BEST_BEFORE,
    SETTINGS,
    OnChange,
    check_continuation,
    is_first_process,
    set_aside,
    start_record,
)
from ivos.training.record import write_record
from ivos.training.run_settings import RunSettings
from ivos.training.streaming import InfiniteSampler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torch import nn

    from ivos.training.module import Training
    from ivos.training.record import DataRecord

_log = logging.getLogger(__name__)

_RATES, _TRIED = (1e-6, 1e-1), 100  # the finder's range, and over how many batches it goes through it
_MAY_CHANGE = {"steps", "validate_every", "save_every", "patience", "precision", "devices", "nodes", "log_to"}

_SCANS_PER_SEED = 10**10  # synthetic scans of different seeds have different numbers

Kind = TypeVar("Kind", bound=RunSettings)


def resolve_settings(settings: Kind, folder: Path, *, steps: int, rate: float, on_change: OnChange = "refuse") -> Kind:
    """Settings without anything left open, except for a rate to be found that a run in the folder has not found yet.

    Args:
        settings: as given.
        folder: of the run.
        steps: the method's usual number.
        rate: the method's usual rate.
        on_change: with ``"restart"`` a run in the folder does not matter.

    Raises:
        InputError: the folder holds a run with other settings.
    """
    optimiser = settings.optimiser
    optimiser = optimiser.model_copy(update={"rate": rate if optimiser.rate is None else optimiser.rate})
    whole = settings.model_copy(update={"steps": settings.steps or steps, "optimiser": optimiser})
    if not (folder / LAST).exists() or (on_change == "restart" and is_first_process()):
        return whole
    before = load_settings(type(settings), [folder / SETTINGS])
    if optimiser.rate == "find":
        whole = whole.model_copy(update={"optimiser": optimiser.model_copy(update={"rate": before.optimiser.rate})})
    for key, old, new in _differences(before.model_dump(mode="json"), whole.model_dump(mode="json")):
        if key not in _MAY_CHANGE:
            raise InputError(
                f"{folder}: holds a run with {key}={old}, not {new}; start over with --restart, or give another "
                "folder with -o"
            )
    return whole


class Run:
    """One training in a folder.

    Args:
        folder: for checkpoints, logs and settings; an existing run is resumed.
        settings: without anything left open, but for a rate to be found.
        validates: whether there is something to validate on: the best checkpoint is kept then.
        record: of the data.
        on_change: what becomes of a run in the folder whose data have changed, or which had ended early.

    Attributes:
        done: steps done.

    Raises:
        InputError: a damaged checkpoint, devices that are not there, a logger that is not installed; data that have
            changed, or more steps after an early end, where nobody says what to do or the run cannot continue.
    """

    def __init__(
        self,
        folder: Path,
        settings: RunSettings,
        *,
        validates: bool,
        record: DataRecord,
        on_change: OnChange = "refuse",
    ) -> None:
        self.folder, self.settings, self.validates = folder, settings, validates
        self._last, self._best = folder / LAST, folder / BEST
        if on_change == "restart" and is_first_process():
            set_aside(folder)
        last = read_checkpoint(self._last)
        self.done = int(last.get("global_step", 0))
        self._checkpoints = Checkpoints(
            folder,
            save_every=settings.save_every,
            validate_every=self._validate_every if validates else None,
            patience=settings.patience,
        )
        state = last.get("callbacks", {}).get(self._checkpoints.state_key, {})
        going_on = None
        if last:
            going_on = check_continuation(
                folder, settings, record, done=self.done, ended=self._checkpoints.ended(state), on_change=on_change
            )
        self._finished = going_on is not None and going_on.finished
        self._forgets_best = going_on is not None and going_on.forgets_best
        self._record = record.after(None, told_to_continue=None) if going_on is None else going_on.record
        self.trainer = self._trainer()
        if not last and self.is_first:
            start_record(folder, self._record)

    @property
    def is_first(self) -> bool:
        """Whether this is the one of several processes that writes."""
        return bool(self.trainer.is_global_zero)

    def samples(self, batch: int) -> InfiniteSampler:
        """Numbers of the samples that come after those of the steps done, where batches are of that size."""
        first = self.done * self.settings.optimiser.accumulate * batch * self.trainer.world_size
        return InfiniteSampler(first + self.trainer.global_rank, self.trainer.world_size)

    def first_scan(self, per_step: int = 1) -> int:
        """Number of the first synthetic scan that this process still has to learn from.

        Args:
            per_step: scans that a step takes at most, of each process.
        """
        world = self.trainer.world_size
        start = (self.settings.seed + 1) * _SCANS_PER_SEED
        return start + self.done * per_step * world + self.trainer.global_rank

    def fit_network(
        self,
        network: nn.Module,
        build: Callable[[Any, Any, float], Training],
        batches: Any,
        validating: Any,
        file: str,
    ) -> Path:
        """Train a copy of a network, and save its running average.

        Args:
            network: to start from.
            build: the module for a network, the settings and a learning rate.
            batches: what a DataLoader gives.
            validating: likewise; not used where the run does not validate.
            file: name of the weights' file in the run's folder.

        Returns:
            The weights' file.
        """
        module = self.fit(
            lambda rate: build(copy.deepcopy(network).train().requires_grad_(), self.settings, rate),
            batches,
            validating,
        )
        if self.is_first:
            save_propagation(module.averaged_network, self.folder / file)
        return self.folder / file

    def fit(self, made: Callable[[float], Training], batches: Any, validating: Any) -> Training:
        """Train, from the last checkpoint where there is one.

        Args:
            made: the module for a learning rate, the same one each time.
            batches: what a DataLoader gives.
            validating: likewise; not looked at where the run does not validate.

        Returns:
            The module with the best checkpoint's weights, or the last one's where nothing was validated.
        """
        module = made(self._rate(made, batches))
        seed_everything(self.settings.seed, verbose=False)
        if self._finished:
            _log.warning("%s: finished at step %d; there is nothing to train", self.folder, self.done)
        else:
            self.trainer.fit(
                module,
                batches,
                validating if self.validates else None,
                ckpt_path=self._last if self.done else None,
                weights_only=True,
            )
            self._checkpoints.save_last(self.trainer)
        kept = self._best if self.validates and self._best.exists() else self._last
        module.load_state_dict(read_checkpoint(kept)["state_dict"])
        return module

    def _rate(self, made: Callable[[float], Training], batches: Any) -> float:
        """The learning rate of the settings, which are saved with it; looked for if they say so."""
        rate = self.settings.optimiser.rate
        if not isinstance(rate, float):
            if self.settings.devices * self.settings.nodes > 1:
                raise InputError(
                    "optimiser.rate=find works on one device only: run it with devices=1 first, then set the rate"
                )
            rate = self._find_rate(made(_RATES[0]), batches)
            _log.warning("learning rate found: %.1e", rate)
        optimiser = self.settings.optimiser.model_copy(update={"rate": rate})
        if self.is_first:
            if self._forgets_best and self._best.exists():  # its score was of other data
                self._best.replace(self._best.with_name(BEST_BEFORE))
            write_record(self.folder, self._record)
            save_settings(self.settings.model_copy(update={"optimiser": optimiser}), self.folder / SETTINGS)
        return rate

    def _find_rate(self, module: Training, batches: Any) -> float:
        low, high = _RATES
        trying = Trainer(
            max_steps=_TRIED,
            accelerator=self._accelerator,
            devices=1,
            precision=self._precision,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            default_root_dir=self.folder,
        )
        tried = Tuner(trying).lr_find(module, batches, min_lr=low, max_lr=high, num_training=_TRIED, attr_name="rate")
        found = tried.suggestion() if tried is not None else None
        if found is None:
            raise InputError("optimiser.rate=find: the loss did not fall at any rate; give a rate")
        return float(found)

    def _trainer(self) -> Trainer:
        settings = self.settings
        try:
            return Trainer(
                max_steps=settings.total_steps,
                accelerator=self._accelerator,
                devices=settings.devices,
                num_nodes=settings.nodes,
                strategy="ddp" if settings.devices * settings.nodes > 1 else "auto",
                use_distributed_sampler=False,
                precision=self._precision,
                logger=self._loggers(),
                callbacks=[FiniteOnly(self.folder), self._checkpoints],
                plugins=[WholeCheckpoints()],
                enable_checkpointing=False,
                gradient_clip_val=settings.optimiser.clip,
                accumulate_grad_batches=settings.optimiser.accumulate,
                log_every_n_steps=min(10, settings.total_steps),
                enable_model_summary=False,
                val_check_interval=self._validate_every * settings.optimiser.accumulate,
                num_sanity_val_steps=0,
                default_root_dir=self.folder,
            )
        except MisconfigurationException as error:
            raise InputError(f"devices={settings.devices}: {str(error).splitlines()[0]}") from error

    @property
    def _validate_every(self) -> int:
        return min(self.settings.validate_every, self.settings.total_steps)

    @property
    def _accelerator(self) -> str:
        return "auto" if self.settings.devices == 1 or torch.cuda.is_available() else "cpu"

    @property
    def _precision(self) -> Any:
        chosen = self.settings.precision
        bfloat16 = chosen == "bfloat16" or (chosen == "auto" and has_bfloat16(pick_device()))
        return "bf16-mixed" if bfloat16 else "32-true"

    def _loggers(self) -> list[Logger]:
        folder, version = self.folder, f"from_step_{self.done}"
        loggers: list[Logger] = [
            CSVLogger(folder, name="log", version=version),
            TensorBoardLogger(folder, name="tensorboard", version=version),
        ]
        try:
            if "wandb" in self.settings.log_to:
                from lightning.pytorch.loggers import WandbLogger

                loggers.append(WandbLogger(folder.name, folder, project="ivos"))
            if "mlflow" in self.settings.log_to:
                from lightning.pytorch.loggers import MLFlowLogger

                server = os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{folder.resolve() / 'mlflow.db'}")
                loggers.append(MLFlowLogger("ivos", folder.name, tracking_uri=server))
        except ModuleNotFoundError as error:
            names = ",".join(self.settings.log_to)
            raise InputError(f"log_to=[{names}]: not installed: pip install 'ivos[{names}]'") from error
        return loggers


def _differences(old: Any, new: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Keys of settings that differ, those of settings within them with dots, and both values."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in {**old, **new}:
            yield from _differences(old.get(name), new.get(name), f"{key}.{name}" if key else name)
    elif old != new:
        yield key, old, new
