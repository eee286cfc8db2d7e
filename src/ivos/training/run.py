"""A training run in a folder: it goes on where it stopped, and keeps its last and its best checkpoint."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.tuner.tuning import Tuner

from ivos.config import load_settings, save_settings
from ivos.device import has_bfloat16, pick_device
from ivos.errors import InputError
from ivos.training.numbers import From
from ivos.training.run_settings import RunSettings

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

_SCORE = "val_dsc"
_RATES, _TRIED = (1e-6, 1e-1), 100  # the finder's range, and over how many batches it goes through it
_MAY_CHANGE = {"steps", "validate_every", "save_every", "patience", "precision", "devices", "nodes", "log_to"}

Kind = TypeVar("Kind", bound=RunSettings)


class Trained(Protocol):
    """A LightningModule whose learning rate may be looked for."""

    rate: float


def resolved(settings: Kind, folder: Path, *, steps: int, rate: float) -> Kind:
    """Settings without anything left open, those of a run that is there already, except for a rate to be found.

    Args:
        settings: as given.
        folder: of the run.
        steps: the method's usual number.
        rate: the method's usual rate.

    Raises:
        InputError: the folder holds a run with other settings.
    """
    optimiser = settings.optimiser
    optimiser = optimiser.model_copy(update={"rate": rate if optimiser.rate is None else optimiser.rate})
    whole = settings.model_copy(update={"steps": settings.steps or steps, "optimiser": optimiser})
    path = folder / "settings.yaml"
    if not path.exists():
        return whole
    before = load_settings(type(settings), [path])
    if optimiser.rate == "find":
        whole = whole.model_copy(update={"optimiser": optimiser.model_copy(update={"rate": before.optimiser.rate})})
    new, old = whole.model_dump(mode="json"), before.model_dump(mode="json")
    changed = [key for key in new if key not in _MAY_CHANGE and new[key] != old[key]]
    if changed:
        key = changed[0]
        raise InputError(f"{folder}: holds a run with other settings ({key}: {old[key]}); give another folder with -o")
    return whole


class Run:
    """One training in a folder.

    Args:
        folder: for checkpoints, logs and settings; a run that is there already goes on.
        settings: without anything left open, but for a rate to be found.
        validates: whether there is something to validate on: the best checkpoint is kept then.
    """

    def __init__(self, folder: Path, settings: RunSettings, *, validates: bool) -> None:
        self.folder, self.settings = folder, settings
        self._last, self._best = folder / "last.ckpt", folder / "best.ckpt"
        self._validates = validates
        self.done = _steps_done(self._last)
        self.trainer = self._trainer()

    def samples(self, batch: int) -> From:
        """Numbers of the samples that this process has not seen yet, where batches are of that size."""
        first = self.done * self.settings.optimiser.accumulate * batch * self.trainer.world_size
        return From(first + self.trainer.global_rank, self.trainer.world_size)

    def fit(self, made: Callable[[float], LightningModule], batches: Any, validating: Any) -> LightningModule:
        """Train, from the last checkpoint where there is one.

        Args:
            made: the module for a learning rate, the same one each time.
            batches: what a DataLoader gives.
            validating: likewise; not looked at where the run does not validate.

        Returns:
            The module with the best checkpoint's weights, or the last one's where nothing was validated.
        """
        rate = self._rate(made, batches)
        seed_everything(self.settings.seed, verbose=False)
        module = made(rate)
        self.trainer.fit(
            module,
            batches,
            validating if self._validates else None,
            ckpt_path=self._last if self._last.exists() else None,
            weights_only=True,
        )
        self.trainer.save_checkpoint(self._last)
        if self._validates and self._best.exists():
            best = torch.load(self._best, map_location="cpu", weights_only=True)
            module.load_state_dict(best["state_dict"])
        return module

    def _rate(self, made: Callable[[float], LightningModule], batches: Any) -> float:
        """The learning rate of the settings, which are saved with it; looked for if they say so."""
        rate = self.settings.optimiser.rate
        if not isinstance(rate, float):
            if self.settings.devices * self.settings.nodes > 1:
                raise InputError("optimiser.rate=find looks on one device: find it with devices=1 first, then give it")
            rate = self._found(made(_RATES[0]), batches)
            _log.warning("learning rate found: %.1e", rate)
        optimiser = self.settings.optimiser.model_copy(update={"rate": rate})
        if self.trainer.is_global_zero:
            save_settings(self.settings.model_copy(update={"optimiser": optimiser}), self.folder / "settings.yaml")
        return rate

    def _found(self, module: LightningModule, batches: Any) -> float:
        low, high = _RATES
        trying = Trainer(
            max_steps=_TRIED,
            accelerator=self._accelerator,
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
        return Trainer(
            max_steps=settings.steps or 0,
            accelerator=self._accelerator,
            devices=settings.devices,
            num_nodes=settings.nodes,
            strategy="ddp" if settings.devices * settings.nodes > 1 else "auto",
            sync_batchnorm=torch.cuda.is_available(),
            use_distributed_sampler=False,
            precision=self._precision,
            logger=self._loggers(),
            callbacks=self._callbacks(),
            gradient_clip_val=settings.optimiser.clip,
            accumulate_grad_batches=settings.optimiser.accumulate,
            log_every_n_steps=min(10, settings.steps or 1),
            enable_model_summary=False,
            val_check_interval=min(settings.validate_every, settings.steps or 1) * settings.optimiser.accumulate,
            num_sanity_val_steps=0,
            default_root_dir=self.folder,
        )

    @property
    def _accelerator(self) -> str:
        return "auto" if self.settings.devices == 1 or torch.cuda.is_available() else "cpu"

    @property
    def _precision(self) -> Any:
        chosen = self.settings.precision
        bfloat16 = chosen == "bfloat16" or (chosen == "auto" and has_bfloat16(pick_device()))
        return "bf16-mixed" if bfloat16 else "32-true"

    def _callbacks(self) -> list[Callback]:
        settings = self.settings
        last: list[Callback] = [
            ModelCheckpoint(self.folder, save_last=True, every_n_train_steps=settings.save_every, save_top_k=0)
        ]
        if not self._validates:
            return last
        best = ModelCheckpoint(self.folder, "best", _SCORE, mode="max", save_top_k=1, enable_version_counter=False)
        stop = [] if settings.patience is None else [EarlyStopping(_SCORE, mode="max", patience=settings.patience)]
        return [*stop, *last, best]

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
            names = " and ".join(self.settings.log_to)
            raise InputError(f"log_to={names}: not installed here: pip install 'ivos[{names}]'") from error
        return loggers


def _steps_done(checkpoint: Path) -> int:
    """Optimiser steps of a run's last checkpoint; 0 where there is none."""
    if not checkpoint.exists():
        return 0
    return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["global_step"])
