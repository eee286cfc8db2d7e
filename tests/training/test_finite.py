"""Numbers that are not finite stop a training with the names of its cases, and are neither kept nor loaded."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import ivos as package
from ivos.config import load_settings
from ivos.errors import InputError
from ivos.nets import checkpoints
from ivos.nets.checkpoints import read_weights, save_propagation
from ivos.nets.fast import FastNet
from ivos.nets.fusion import OURS, FusionNet
from ivos.nets.reference_file import ReferenceInfo, load_reference, load_weights, save_reference
from ivos.nets.strokes import StrokesNet
from ivos.training.fast.scans import synthetic
from ivos.training.fast.train import train_fast
from ivos.training.fusion.settings import FusionSettings
from ivos.training.fusion.train import train_fusion
from ivos.training.propagation_settings import PropagationSettings
from ivos.training.reference.settings import ReferenceSettings
from ivos.training.reference.train import train_reference
from ivos.training.stcn.train import train_stcn
from ivos.training.strokes.examples import Examples, examples_of
from ivos.training.strokes.settings import StrokesSettings
from ivos.training.strokes.train import train_strokes
from tests.propagation.scenes import moving_discs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OPTIMISER = ("optimiser.rate=1e18", "optimiser.clip=1e38", "optimiser.warm_up=0", "optimiser.schedule=constant")
EXPLODING = (*OPTIMISER, "precision=float32", "steps=20", "save_every=1", "validate_every=100")


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    for number in range(2):
        scan, labels = moving_discs(slices=6, size=48, seed=number)
        package.write(folder / "images" / f"case_{number}_0000.nii.gz", scan)
        package.write(folder / "labels" / f"case_{number}.nii.gz", labels)
    return folder


def _reference(raw: Path, run: Path) -> None:
    small = (f"data.scans={raw}", "data.fold=null", "data.size=32", "data.workers=0", "data.batch=2")
    train_reference(load_settings(ReferenceSettings, [*small, *EXPLODING]), run)


def _fast(raw: Path, run: Path) -> None:
    train_fast(
        load_settings(PropagationSettings, [f"data.scans={raw}", "data.fold=null", "workers=0", *EXPLODING]), run
    )


def _stcn(raw: Path, run: Path) -> None:
    small = ("network.name=stcn", "network.key_encoder=mobilenetv3", "network.size=32", "network.batch=1", "workers=0")
    given = [f"data.scans={raw}", "data.fold=null", *small, *EXPLODING]
    train_stcn(load_settings(PropagationSettings, given), run)


def _strokes(raw: Path, run: Path) -> None:  # noqa: ARG001
    train_strokes(load_settings(StrokesSettings, ["workers=0", "batch=2", *EXPLODING]), run)


def _fusion(raw: Path, run: Path) -> None:  # noqa: ARG001
    for number in (0, 1_000_000):
        planes = np.random.default_rng(number).integers(0, 256, (6, 8, 96, 96)).astype(np.uint8)
        (run / "samples").mkdir(parents=True, exist_ok=True)
        np.savez(run / "samples" / f"{number:08d}.npz", planes=planes, shares=np.full((6, 2), 0.5, np.float32))
    train_fusion(load_settings(FusionSettings, ["scans=1", "batch=2", *EXPLODING]), run)


@pytest.mark.filterwarnings("ignore")  # Lightning's own
@pytest.mark.usefixtures("few_walks")
@pytest.mark.parametrize(
    ("train", "case"),
    [
        (_reference, "case_[01]"),
        (_fast, "case_[01]|synthetic scan"),
        (_stcn, "case_[01]"),
        (_strokes, "synthetic scan 5"),
        (_fusion, "synthetic scan 1000000"),
    ],
)
def test_a_loss_that_is_not_finite_stops_with_the_names_of_the_cases(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, train: Callable[[Path, Path], None], case: str
) -> None:
    taken = list(islice(examples_of(synthetic(5), np.random.default_rng(0)), 24)) if train is _strokes else []
    if taken:
        monkeypatch.setattr("ivos.training.strokes.train._HELD_OUT", 2)
        monkeypatch.setattr(Examples, "__iter__", lambda _: iter(taken))
    with pytest.raises(
        InputError, match=rf"stopped at step \d+: the (loss is|gradients are|weights are).*({case}|kept)"
    ):
        train(raw, tmp_path / "run")
    for path in (tmp_path / "run").glob("*.ckpt"):
        state = torch.load(path, weights_only=True)["state_dict"]
        assert all(torch.isfinite(value).all() for value in state.values() if value.is_floating_point())
    assert not list((tmp_path / "run").glob("*.safetensors"))


def _spoilt(network: Any, value: float) -> Any:
    parameter = next(p for p in network.parameters() if p.ndim > 1)
    with torch.no_grad():
        parameter.view(-1)[3] = value
    return network


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["fast", "strokes", "fusion"])
def test_such_weights_are_neither_written_nor_read(tmp_path: Path, name: str, value: float) -> None:
    made: dict[str, Any] = {"fast": FastNet, "strokes": StrokesNet, "fusion": lambda: FusionNet(OURS)}
    network = _spoilt(made[name](), value)
    with pytest.raises(InputError, match="weights are not finite"):
        save_propagation(network, tmp_path / "a.safetensors")
    assert not (tmp_path / "a.safetensors").exists()
    torch.save(network.state_dict(), tmp_path / "a.pth")
    with pytest.raises(InputError, match=r"a\.pth: 1 of \d+ weights are not finite .*train again"):
        getattr(checkpoints, f"load_{name}")(tmp_path / "a.pth")


def test_nor_those_of_reference_networks_and_encoders(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    info = ReferenceInfo(network="small", structures=(1,), names={1: "a"}, size=32, neighbours=0)
    network, path = info.made(), tmp_path / "reference.safetensors"
    save_reference(network, info, path)
    spoilt = _spoilt(network, float("nan"))
    with pytest.raises(InputError, match="not finite"):
        save_reference(spoilt, info, tmp_path / "other.safetensors")
    save_file(spoilt.state_dict(), path, {"ivos": info.model_dump_json()})
    for load in (load_reference, lambda p: load_weights(info.made(), p)):
        with pytest.raises(InputError, match="not finite"):
            load(path)


def test_what_float16_does_not_hold_is_written_as_it_is(tmp_path: Path) -> None:
    network = _spoilt(FastNet(), 1e6)
    save_propagation(network, tmp_path / "a.safetensors")
    weights = read_weights(tmp_path / "a.safetensors")
    assert max(float(value.float().max()) for value in weights.values()) == 1e6
