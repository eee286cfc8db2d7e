"""Training reference networks: a run in a folder, which goes on where it stopped, step for step."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities import CombinedLoader
from torch.utils.data import DataLoader

from ivos.config import save_settings
from ivos.device import has_bfloat16, pick_device
from ivos.errors import InputError
from ivos.metrics.overlap import dsc
from ivos.nets.imagenet import load_imagenet
from ivos.nets.reference_file import ReferenceInfo, save_reference
from ivos.segment import segmented_slices
from ivos.training.prepare import load_manifest
from ivos.training.resume import steps_done
from ivos.training.semi_supervised import Consistency, CrossPseudo, Supervised
from ivos.training.slices import From, LabelledSlices, UnlabelledSlices, collated, with_neighbours
from ivos.training.store import StoredScan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from ivos.nets.transunet import TransUNet
    from ivos.training.prepare import Manifest, ManifestCase
    from ivos.training.reference_settings import OptimiserSettings, ReferenceSettings
    from ivos.training.semi_supervised import Batch, Method

_POLY_POWER = 0.9


class ReferenceTraining(LightningModule):
    """One method, its optimiser, and validation on whole scans.

    Args:
        method: what is learned from a batch.
        info: what the network is for.
        settings: of the training.
    """

    def __init__(self, method: Method, info: ReferenceInfo, settings: ReferenceSettings) -> None:
        super().__init__()
        self._info, self._settings = info, settings
        self.method = cast("nn.Module", method)
        self.average = torch.optim.swa_utils.AveragedModel(
            method.networks,
            multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(settings.optimiser.average),  # type: ignore[no-untyped-call]
            use_buffers=True,
        ).requires_grad_(requires_grad=False)

    @property
    def networks(self) -> list[nn.Module]:
        """The networks whose weights are running averages of those that were trained."""
        return list(cast("nn.ModuleList", self.average.module))

    def on_train_batch_start(self, *_: Any) -> None:
        """What is random in a step depends on its number alone, so that a run that is taken up again is the same."""
        torch.manual_seed(hash((self._settings.seed, self.global_step, self.global_rank)) % 2**63)

    def training_step(self, batch: dict[str, Batch], number: int) -> Tensor:  # noqa: ARG002
        """The loss of labelled and unlabelled slices."""
        progress = self.global_step / self._settings.steps
        parts = cast("Method", self.method).loss(batch["labelled"], batch.get("unlabelled"), progress)
        total = torch.stack(list(parts.values())).sum()
        count = len(batch["labelled"]["image"])
        self.log_dict({**parts, "loss": total}, prog_bar=True, batch_size=count, sync_dist=True)
        return total

    def optimizer_step(self, *arguments: Any, **named: Any) -> None:
        """Step, and move the average on: before a checkpoint is saved, so that one holds both."""
        super().optimizer_step(*arguments, **named)
        self.average.update_parameters(cast("Method", self.method).networks)

    def validation_step(self, batch: Sequence[Path], number: int) -> None:  # noqa: ARG002
        """Mean DSC over the structures of a whole scan."""
        for path in batch:
            scores = volume_dsc(self.networks[0], StoredScan(path), self._info, self.device)
            self.log("val_dsc", float(np.nanmean(scores)), prog_bar=True, batch_size=1, sync_dist=True)

    def configure_optimizers(self) -> Any:
        """AdamW over all networks."""
        chosen = self._settings.optimiser
        optimiser = torch.optim.AdamW(self.method.parameters(), lr=chosen.rate, weight_decay=chosen.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, partial(_share_of_rate, chosen, self._settings.steps))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def volume_dsc(network: nn.Module, scan: StoredScan, info: ReferenceInfo, device: torch.device) -> list[float]:
    """DSC of each structure over a whole labelled scan; NaN for one that is in neither."""
    image = partial(with_neighbours, scan, neighbours=info.neighbours)
    found = np.stack(list(segmented_slices(network, image, len(scan), size=info.size, device=device)))
    true = scan.labels().array
    return [dsc(found == k, true == label) for k, label in enumerate(info.structures, start=1)]


def train_reference(settings: ReferenceSettings, folder: Path) -> list[Path]:
    """Train as the settings say.

    Args:
        settings: of the training.
        folder: for checkpoints, the log and the settings; a run that is there already goes on.

    Returns:
        The averaged networks' files.

    Raises:
        InputError: what is prepared does not have what the settings ask for.
    """
    manifest = load_manifest(settings.data.prepared)
    training, unlabelled, validating = chosen_cases(manifest, settings)
    info = _info(manifest, settings, training)
    save_settings(settings, folder / "settings.yaml")
    seed_everything(settings.seed, verbose=False)
    module = ReferenceTraining(_method(settings, info), info, settings)
    last = folder / "last.ckpt"
    done = steps_done(last)
    trainer = Trainer(
        max_steps=settings.steps,
        accelerator="auto" if settings.devices == 1 or torch.cuda.is_available() else "cpu",
        devices=settings.devices,
        num_nodes=settings.nodes,
        strategy="ddp" if settings.devices * settings.nodes > 1 else "auto",
        sync_batchnorm=torch.cuda.is_available(),
        use_distributed_sampler=False,
        precision="bf16-mixed" if _in_bfloat16(settings) else "32-true",
        logger=CSVLogger(folder, name="log", version=f"from_step_{done}"),
        callbacks=[ModelCheckpoint(folder, save_last=True, every_n_train_steps=settings.save_every, save_top_k=0)],
        gradient_clip_val=settings.optimiser.clip,
        accumulate_grad_batches=settings.optimiser.accumulate,
        log_every_n_steps=10,
        enable_model_summary=False,
        val_check_interval=settings.validate_every * settings.optimiser.accumulate,
        num_sanity_val_steps=0,
    )
    first = done * settings.optimiser.accumulate * settings.data.batch * trainer.world_size + trainer.global_rank
    batches = {"labelled": _loader(_labelled(training, info, settings), settings, first, trainer.world_size)}
    if settings.method != "supervised":
        batches["unlabelled"] = _loader(_unlabelled(unlabelled, settings), settings, first, trainer.world_size)
    scans: Any = DataLoader(validating, batch_size=1, collate_fn=list)  # type: ignore[arg-type]
    trainer.fit(
        module,
        CombinedLoader(batches, "min_size"),
        scans if validating else None,
        ckpt_path=last if last.exists() else None,
        weights_only=True,
    )
    trainer.save_checkpoint(last)
    paths = [folder / f"reference{'' if n == 0 else n + 1}.safetensors" for n in range(len(module.networks))]
    for network, name, path in zip(module.networks, settings.networks, paths, strict=True):
        save_reference(network, info.model_copy(update={"network": name}), path)
    return paths


def chosen_cases(manifest: Manifest, settings: ReferenceSettings) -> tuple[list[Path], list[Path], list[Path]]:
    """Stored scans to learn from with labels, without, and to validate on.

    Raises:
        InputError: there are none of a kind that is needed.
    """
    data = settings.data

    def paths(cases: Sequence[ManifestCase]) -> list[Path]:
        return [data.prepared / case.file for case in cases]

    cases = [case for case in manifest.cases if case.split == "train"]
    validating = [case for case in cases if case.fold is not None and case.fold == data.fold]
    rest = [case for case in cases if case.info.labelled and case not in validating]
    order = np.random.default_rng(settings.seed).permutation(len(rest))
    rest = [rest[n] for n in order]
    training = rest[: data.labelled]
    unlabelled = [case for case in cases if not case.info.labelled] + rest[len(training) :]
    if not training:
        raise InputError(f"{data.prepared}: no labelled cases to train on beside fold {data.fold}")
    if not unlabelled and settings.method != "supervised":
        raise InputError(f"{data.prepared}: no unlabelled cases, which method={settings.method} learns from")
    return paths(training), paths(unlabelled), paths(validating)


def _info(manifest: Manifest, settings: ReferenceSettings, training: Sequence[Path]) -> ReferenceInfo:
    there = {label for path in training for label in StoredScan(path).info.volumes_ml or {}}
    wanted = settings.data.structures or tuple(sorted(there))
    missing = [label for label in wanted if label not in there]
    if missing:
        raise InputError(
            f"{settings.data.prepared}: no training case has label {missing[0]}; structures: {sorted(there)}"
        )
    return ReferenceInfo(
        network=settings.networks[0],
        structures=wanted,
        names={label: manifest.names.get(label, f"label {label}") for label in wanted},
        size=settings.data.size,
        neighbours=settings.data.neighbours,
    )


def _method(settings: ReferenceSettings, info: ReferenceInfo) -> Method:
    networks = [info.model_copy(update={"network": name}).made() for name in settings.networks]
    for name, network in zip(settings.networks, networks, strict=True):
        if settings.imagenet is not None and name == "transunet":
            load_imagenet(cast("TransUNet", network.network), settings.imagenet)
    if settings.method == "supervised":
        return Supervised(networks[0])
    if settings.method == "consistency":
        return Consistency(networks[0], weight=settings.pseudo_weight)
    rectified = settings.method == "cps-uncertainty"
    return CrossPseudo(networks[0], networks[1], weight=settings.pseudo_weight, rectified=rectified)


def _labelled(paths: Sequence[Path], info: ReferenceInfo, settings: ReferenceSettings) -> LabelledSlices:
    data = settings.data
    return LabelledSlices(paths, info.structures, size=data.size, neighbours=data.neighbours, seed=settings.seed)


def _unlabelled(paths: Sequence[Path], settings: ReferenceSettings) -> UnlabelledSlices:
    data = settings.data
    return UnlabelledSlices(paths, size=data.size, neighbours=data.neighbours, seed=settings.seed + 1)


def _loader(dataset: Any, settings: ReferenceSettings, first: int, step: int) -> DataLoader[Any]:
    return DataLoader(
        dataset,
        batch_size=settings.data.batch,
        sampler=From(first, step),
        num_workers=settings.data.workers,
        collate_fn=collated,
    )


def _share_of_rate(chosen: OptimiserSettings, steps: int, step: int) -> float:
    """The rate at a step as a share of the highest one."""
    rising, left = min(1.0, (step + 1) / (chosen.warm_up + 1)), max(0.0, 1 - step / steps)
    if chosen.schedule == "poly":
        return rising * math.pow(left, _POLY_POWER)
    return rising * (0.5 - 0.5 * math.cos(math.pi * left) if chosen.schedule == "cosine" else 1.0)


def _in_bfloat16(settings: ReferenceSettings) -> bool:
    return settings.precision == "bfloat16" or (settings.precision == "auto" and has_bfloat16(pick_device()))
