"""Training of reference networks."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from lightning.pytorch import seed_everything
from lightning.pytorch.utilities import CombinedLoader
from torch.utils.data import DataLoader

from ivos.errors import InputError
from ivos.metrics.overlap import dsc
from ivos.nets.imagenet import load_imagenet
from ivos.nets.reference_file import ReferenceInfo, load_weights, save_reference
from ivos.segmentation.reference_networks import ReferenceNetwork, ReferenceNetworks
from ivos.training.callbacks import SCORE
from ivos.training.data.cases import ChosenCases, chosen_cases
from ivos.training.data.store import UNKNOWN, StoredScan
from ivos.training.module import Training
from ivos.training.pictures import log_picture
from ivos.training.record import record_of
from ivos.training.reference.losses import SupervisedLoss, balanced_weights
from ivos.training.reference.methods import Consistency, CrossPseudo, Supervised
from ivos.training.reference.slices import Alternating, LabelledSlices, UnlabelledSlices, collate
from ivos.training.reference.structures import structures_of, structures_to_learn
from ivos.training.run import Run, resolve_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor, nn
    from torch.utils.data import Dataset

    from ivos.nets.transunet import TransUNet
    from ivos.training.continuing import OnChange
    from ivos.training.reference.methods import Batch, Method
    from ivos.training.reference.settings import ReferenceSettings
    from ivos.training.reference.slices import Sample
    from ivos.types import Array

_STEPS, _RATE = 2000, 1e-3


class ReferenceTraining(Training):
    """One method, and validation on whole scans.

    Args:
        method: what is learned from a batch.
        info: what the network is for.
        settings: of the training.
        rate: peak learning rate.
    """

    def __init__(self, method: Method, info: ReferenceInfo, settings: ReferenceSettings, rate: float) -> None:
        super().__init__(method.networks, settings, rate)
        self._method, self._info = method, info

    def cases_of(self, batch: dict[str, dict[str, Any]]) -> Sequence[str]:
        """Those of the slices that are not finite themselves, or of all."""
        named = [pair for part in batch.values() for pair in zip(part["cases"], part["image"], strict=True)]
        return [case for case, image in named if not torch.isfinite(image).all()] or [case for case, _ in named]

    def training_step(self, batch: dict[str, dict[str, Any]], number: int) -> Tensor:  # noqa: ARG002
        """The loss of labelled and unlabelled slices."""
        slices: dict[str, Batch] = {
            name: {key: value for key, value in part.items() if key != "cases"} for name, part in batch.items()
        }
        parts = self._method.loss(slices["labelled"], slices.get("unlabelled"), self.progress)
        total = torch.stack(list(parts.values())).sum()
        count = len(slices["labelled"]["image"])
        self.log_dict({**parts, "loss": total}, prog_bar=True, batch_size=count, sync_dist=True)
        return total

    def validation_step(self, batch: Sequence[Path], number: int) -> None:
        """Mean DSC over the structures of a whole scan, and a picture of the first one."""
        for path in batch:
            scan = StoredScan(path)
            found = segment_scan(self.averaged_network[0], scan, self._info, self.device)
            scores = volume_dsc(found, scan, self._info)
            if number == 0:
                log_picture(self, scan, found)
            self.log(SCORE, float(np.nanmean(scores)), prog_bar=True, batch_size=1, sync_dist=True)


def segment_scan(network: nn.Module, scan: StoredScan, info: ReferenceInfo, device: torch.device) -> Array:
    """Label ids (Z, Y, X) of a whole scan."""
    networks = ReferenceNetworks((ReferenceNetwork(network.to(device).eval(), info),), device)
    slices = networks.probabilities(lambda n: scan.slice(n)[0], range(len(scan)), len(scan))
    labels: Array = np.array([0, *info.structures])[np.stack([classes.argmax(0) for classes in slices])]
    return labels


def volume_dsc(found: Array, scan: StoredScan, info: ReferenceInfo) -> list[float]:
    """DSC of each structure over a whole labelled scan, where its labels say something; NaN for one in neither."""
    true = scan.labels().array
    found = np.where(true == UNKNOWN, 0, found)
    return [dsc(found == label, true == label) for label in info.structures]


def train_reference(
    settings: ReferenceSettings, folder: Path, cases: ChosenCases | None = None, *, on_change: OnChange = "refuse"
) -> list[Path]:
    """Train with the given settings.

    Args:
        settings: of the training.
        folder: for checkpoints, the logs and the settings; an existing run is resumed.
        cases: to learn from, instead of those that ``settings.data`` chooses.
        on_change: what to do if the data of an existing run have changed or it stopped early.

    Returns:
        The averaged networks' files, of the best validation where there was one.

    Raises:
        InputError: the scans do not have what the settings ask for, or the folder holds another run.
    """
    settings = resolve_settings(settings, folder, steps=_STEPS, rate=_RATE, on_change=on_change)
    cases = cases or chosen_cases(settings.data, folder, settings.seed)
    if not cases.unlabelled and settings.method != "supervised":
        raise InputError(f"{settings.data.scans}: no unlabelled cases, which method={settings.method} learns from")
    info = _info(cases, settings)
    validating = [path for path in cases.validating if set(info.structures) & structures_of(path)]
    weights = _class_weights(cases.training, info) if settings.loss.class_balanced else None
    seed_everything(settings.seed, verbose=False)
    method = _method(settings, info, SupervisedLoss(settings.loss, weights))
    record = record_of(settings, cases, structures=info.names, unlabelled=settings.method != "supervised")
    run = Run(folder, settings, validates=bool(validating), record=record, on_change=on_change)
    batches = {"labelled": _loader(_labelled_slices(cases, info, settings), settings, run)}
    if settings.method != "supervised":
        batches["unlabelled"] = _loader(_unlabelled_slices(cases.unlabelled, settings), settings, run)
    module = run.fit(
        lambda rate: ReferenceTraining(copy.deepcopy(method), info, settings, rate),
        CombinedLoader(batches, "min_size"),
        DataLoader(validating, batch_size=1, collate_fn=list),  # type: ignore[arg-type]
    )
    paths = [folder / f"reference{'' if n == 0 else n + 1}.safetensors" for n in range(len(settings.networks))]
    if run.is_first:
        for network, name, path in zip(module.averaged_network, settings.networks, paths, strict=True):
            save_reference(network, info.model_copy(update={"network": name}), path)
    return paths


def _info(cases: ChosenCases, settings: ReferenceSettings) -> ReferenceInfo:
    wanted = structures_to_learn(cases, settings.data)
    return ReferenceInfo(
        network=settings.networks[0],
        structures=wanted,
        names={label: cases.names.get(label, f"label {label}") for label in wanted},
        size=settings.data.size,
        neighbours=settings.data.neighbours,
    )


def _method(settings: ReferenceSettings, info: ReferenceInfo, supervised: SupervisedLoss) -> Method:
    networks = [info.model_copy(update={"network": name}).made() for name in settings.networks]
    for name, network, path in zip(settings.networks, networks, settings.init or [None] * len(networks), strict=True):
        if path is not None:
            load_weights(network, path)
        elif settings.imagenet is not None and name == "transunet":
            load_imagenet(cast("TransUNet", network.network), settings.imagenet)
    if settings.method == "supervised":
        return Supervised(networks[0], supervised)
    if settings.method == "consistency":
        return Consistency(networks[0], supervised, weight=settings.pseudo_weight)
    rectified = settings.method == "cps-uncertainty"
    return CrossPseudo(networks[0], networks[1], supervised, weight=settings.pseudo_weight, rectified=rectified)


def _class_weights(training: Sequence[Path], info: ReferenceInfo) -> Tensor:
    """Of background and structures, by their volumes in the training cases."""
    scans = [StoredScan(path) for path in training]
    volumes = [sum((scan.info.volumes_ml or {}).get(label, 0.0) for scan in scans) for label in info.structures]
    whole = sum(scan.geometry.voxel_volume_ml * math.prod(scan.info.shape) - scan.info.ignored_ml for scan in scans)
    return balanced_weights(torch.tensor([whole - sum(volumes), *volumes]))


def _labelled_slices(cases: ChosenCases, info: ReferenceInfo, settings: ReferenceSettings) -> Dataset[Sample]:
    """Of true labels and of pseudo-labels in turn: many pseudo-labelled scans do not drown the few that are true."""
    data = settings.data

    def slices(paths: Sequence[Path]) -> LabelledSlices:
        return LabelledSlices(paths, info.structures, size=data.size, neighbours=data.neighbours, seed=settings.seed)

    if not cases.pseudo_labelled:
        return slices(cases.training)
    return Alternating([slices(cases.training), slices(cases.pseudo_labelled)])


def _unlabelled_slices(paths: Sequence[Path], settings: ReferenceSettings) -> UnlabelledSlices:
    data = settings.data
    return UnlabelledSlices(paths, size=data.size, neighbours=data.neighbours, seed=settings.seed + 1)


def _loader(dataset: Any, settings: ReferenceSettings, run: Run) -> DataLoader[Any]:
    batch = settings.data.batch
    return DataLoader(
        dataset,
        batch_size=batch,
        sampler=run.samples(batch),
        num_workers=settings.data.workers,
        collate_fn=collate,
    )
