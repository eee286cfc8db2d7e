"""Training STCN: what it learns by is what the engine does, a run goes on, and its weights are of use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

import ivos as package
from ivos.config import load_settings
from ivos.nets.checkpoints import load_stcn, read_weights, save_propagation
from ivos.nets.imagenet import load_resnet
from ivos.nets.key_encoders import key_encoder
from ivos.nets.stcn import STCN
from ivos.propagation.engines.protocol import Slice
from ivos.propagation.engines.stcn import STCNEngine
from ivos.propagation.engines.working_grid import normalised
from ivos.propagation.masks import Masks
from ivos.training.data.prepare import prepare
from ivos.training.propagation_settings import PropagationSettings
from ivos.training.stcn.module import ClipPass, STCNTraining
from ivos.training.stcn.train import train_stcn
from tests.cli.runner import ivos, refused
from tests.memory import give_back
from tests.nets.weights import drawn_weight, scene
from tests.propagation.scenes import drawn_on, moving_discs

if TYPE_CHECKING:
    from ivos.nets.key_encoders import KeyEncoderName


def test_training_reads_as_the_engine_does() -> None:
    network = STCN()
    network.load_state_dict({name: drawn_weight(name, tuple(v.shape)) for name, v in network.state_dict().items()})
    images, label = scene(4, 3, 64, 64, 2)
    first = np.stack([label == number for number in (1, 2)]).astype(np.float32)
    engine = STCNEngine(network.eval(), device=torch.device("cpu"), memory_budget_bytes=10**9, top_k=10**6)
    slices = [Slice(t, image, (1.0, 1.0), ahead=image) for t, image in enumerate(images)]
    engine.observe(slices[0], Masks.of(first), np.ones(2, bool))
    expected = [engine.predict(image, None).dense() for image in slices[1:]]
    with torch.no_grad():
        found = ClipPass(network, normalised(torch.from_numpy(images)[None]), structures=2).propagate(
            torch.from_numpy(first)[None]
        )
    for t in (1, 2):
        np.testing.assert_allclose(found[t][0, 1:].numpy(), expected[t - 1], atol=2e-3)


@pytest.mark.parametrize("encoder", ["resnet50", "mobilenetv3", "swin"])
def test_weights_there_and_back(tmp_path: Path, encoder: KeyEncoderName) -> None:
    network = STCN(encoder=encoder).eval()
    save_propagation(network, tmp_path / "stcn.safetensors")
    again = load_stcn(tmp_path / "stcn.safetensors")
    image = torch.rand(1, 3, 64, 48)
    with torch.no_grad():
        before, after = network.encode_key(image), again.encode_key(image)
    torch.testing.assert_close(after.f16, before.f16, atol=0.02, rtol=0.02)


def test_norms_of_published_weights_stay_as_they_are() -> None:
    settings = PropagationSettings.model_validate({"data": {"scans": "a"}, "network": {"name": "stcn"}, "steps": 1})
    for frozen in (True, False):
        network = STCN(encoder="mobilenetv3")
        STCNTraining(network, settings, 1e-3, frozen_norms=frozen)
        norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        assert all(norm.training is not frozen for norm in norms)
        assert network.training


def test_every_weight_of_a_key_encoder_is_used() -> None:
    for name in ("mobilenetv3", "swin"):
        encoder, _ = key_encoder(name)
        torch.stack([part.mean() for part in encoder(torch.rand(2, 3, 64, 64))]).sum().backward()  # type: ignore[no-untyped-call]
        assert all(weight.grad is not None for weight in encoder.parameters())


def test_imagenet_weights_go_into_both_encoders(tmp_path: Path) -> None:
    from torchvision.models import resnet18, resnet50

    network = STCN()
    for made, encoder in ((resnet50(), network.key_encoder), (resnet18(), network.value_encoder.resnet)):
        torch.save(made.state_dict(), tmp_path / "weights.pth")
        load_resnet(encoder, tmp_path / "weights.pth")
        name = "layer3.0.conv2.weight"
        assert torch.equal(encoder.state_dict()[name], made.state_dict()[name])
        assert torch.equal(encoder.state_dict()["conv1.weight"][:, :3], made.state_dict()["conv1.weight"])


def _cohort(folder: Path) -> Path:
    for number in range(5):
        scan, labels = moving_discs(slices=6, size=48)
        package.write(folder / "images" / f"{number}.nii.gz", scan)
        package.write(folder / "labels" / f"{number}.nii.gz", labels)
    return folder


def _train(folder: Path, *changes: str) -> Path:
    small = ["network.name=stcn", "network.key_encoder=mobilenetv3", "network.size=32", "network.batch=1", "workers=0"]
    kinds = "network.learn_from={slices: 1, deformed: 1, cycle: 1}"
    weights = train_stcn(load_settings(PropagationSettings, [*small, kinds, "precision=float32", *changes]), folder)
    give_back(0)  # before the next one: networks and trainers stay in cycles
    return weights


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = _cohort(tmp_path_factory.mktemp("cohort"))
    prepare(folder, folder / "prepared")
    return folder / "prepared"


@pytest.mark.filterwarnings("ignore")  # Lightning's own
def test_a_run_goes_on_as_if_it_had_not_stopped(cohort: Path, tmp_path: Path) -> None:
    for name, parts in {"whole": (4,), "parts": (2, 4)}.items():
        for steps in parts:  # nothing may depend on how many steps there are
            free = ["optimiser.schedule=constant", "optimiser.warm_up=0", "network.bootstrapped=[2,3]"]
            jumps = ["network.jumps=[1]", "network.jumps_until=[1.0]"]
            _train(tmp_path / name, f"data.scans={cohort}", "data.fold=null", *free, *jumps, f"steps={steps}")
    a, b = (read_weights(tmp_path / name / "stcn.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.filterwarnings("ignore")
def test_its_weights_are_of_use(cohort: Path, tmp_path: Path) -> None:
    weights = _train(tmp_path, f"data.scans={cohort}", "steps=2")
    assert list((tmp_path / "pictures").glob("step_000002_*.png"))
    scan, labels = moving_discs(slices=4, size=48)
    package.write(tmp_path / "scan.nii.gz", scan)
    package.write(tmp_path / "slices.nii.gz", drawn_on(labels, 1))
    files = (tmp_path / "scan.nii.gz", "--annotations", tmp_path / "slices.nii.gz", "-o", tmp_path / "out.nii.gz")
    assert ivos("propagate", *files, "--engine", "stcn", "--checkpoint", weights).returncode == 0
    assert "not the weights of FastNet" in refused("propagate", *files, "--engine", "fast", "--checkpoint", weights)
