"""Training reference networks: every recipe runs, a killed run ends the same, two processes learn what one does."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest
import torch

import ivos as package
from ivos.config import load_settings
from ivos.nets import transunet
from ivos.nets.checkpoints import read_weights
from ivos.nets.reference_file import load_reference
from ivos.phantom import abdomen
from ivos.training.data.prepare import prepare
from ivos.training.reference.settings import ReferenceSettings
from ivos.training.reference.train import train_reference
from tests.cli.runner import ivos, refused
from tests.processes import started, waited

RECIPES = Path(__file__).parents[3] / "configs"
CONFIGS = sorted(RECIPES.glob("*/reference/*.yaml"))
_SMALL = ("data.size=32", "data.workers=0", "data.batch=2", "validate_every=1000", "data.structures=[1,2,3]")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    for number in range(4):
        phantom = abdomen(number, shape=(12, 48, 48))
        package.write(folder / "images" / f"{number}_0000.nii.gz", phantom.scan)
        if number < 3:
            package.write(folder / "labels" / f"{number}.nii.gz", phantom.labels)
    prepare(folder, folder / "prepared", folds=3)
    return folder / "prepared"


def _train(prepared: Path, run: Path, *changes: str) -> None:
    supervised = RECIPES / "laptop" / "reference" / "supervised.yaml"
    done = ivos("train", "reference", supervised, f"data.scans={prepared}", *_SMALL, *changes, "-o", run)
    assert done.returncode == 0, done.stderr


def _same(first: Path, second: Path) -> None:
    a, b = (read_weights(path / "reference.safetensors") for path in (first, second))
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.filterwarnings("ignore")  # Lightning's own
@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: "-".join(path.relative_to(RECIPES).with_suffix("").parts))
def test_every_recipe_runs(prepared: Path, tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transunet, "_LAYERS", 2)  # of twelve alike: with its optimiser the whole takes 3 GB
    small = [f"data.scans={prepared}", *_SMALL, "steps=2", "validate_every=2"]
    settings = load_settings(ReferenceSettings, [config, *small])
    paths = train_reference(settings, tmp_path)
    network, info = load_reference(paths[0])
    assert info.network == settings.networks[0]
    assert info.structures == (1, 2, 3)
    assert not network.training
    log = next((tmp_path / "log").rglob("metrics.csv")).read_text()
    assert "val_dsc" in log


def test_a_killed_run_ends_as_if_it_had_not_been(prepared: Path, tmp_path: Path) -> None:
    kept = ("save_every=3", "validate_every=4")
    changes = ("steps=18", *kept, "precision=float32", "method=consistency", "data.workers=1")
    _train(prepared, tmp_path / "whole", *changes)
    given = [str(part) for part in (f"data.scans={prepared}", *_SMALL, *changes, "-o", tmp_path / "killed")]
    command = [sys.executable, "-c", "from ivos.cli.main import main; main()", "train", "reference"]
    with started([*command, RECIPES / "laptop" / "reference" / "consistency.yaml", *given]) as process:
        waited((tmp_path / "killed" / "last.ckpt").exists, process)
        assert process.poll() is None, "the run has ended before it could be killed"
    _train(prepared, tmp_path / "killed", *changes)
    _same(tmp_path / "whole", tmp_path / "killed")


def test_two_processes_learn_what_one_does_with_twice_the_batch(prepared: Path, tmp_path: Path) -> None:
    changes = ("steps=20", "precision=float32", "optimiser.rate=1e-3")  # a higher one magnifies rounding
    _train(prepared, tmp_path / "one", *changes, "data.batch=4")
    _train(prepared, tmp_path / "two", *changes, "data.batch=2", "devices=2")
    losses = []
    for run in ("one", "two"):
        with next((tmp_path / run / "log").rglob("metrics.csv")).open(newline="") as file:
            losses.append([float(row["loss"]) for row in csv.DictReader(file) if row.get("loss")])
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)
    assert len(losses[0]) == 2


def test_what_cannot_be_trained_is_refused(prepared: Path, tmp_path: Path) -> None:
    run = (
        "train",
        "reference",
        RECIPES / "laptop" / "reference" / "supervised.yaml",
        "-o",
        tmp_path,
        f"data.scans={prepared}",
    )
    assert "did you mean" in refused(*run, "stepz=3")
    assert "no training case has label 99" in refused(*run, "data.structures=[99]")
    assert "imagenet is for the network transunet" in refused(*run, "imagenet=weights.npz")
    assert "no such weights" in refused(*run, "imagenet=weights.npz", "networks=[transunet]")
    assert "trains 2, networks names 1" in refused(*run, "method=cps")
    assert "no scans" in refused(*run[:-1], f"data.scans={tmp_path}")
