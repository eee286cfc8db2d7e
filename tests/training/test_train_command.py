"""`ivos train propagation`: stopped and taken up again, and of use to `ivos propagate`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import ivos as package
from ivos.config import load_settings
from ivos.nets.checkpoints import load_fast, read_weights, save_propagation
from ivos.nets.stcn import STCN
from ivos.training.fast.train import train_fast
from ivos.training.propagation_settings import PropagationSettings
from ivos.training.stcn.train import train_stcn
from tests.cli.runner import ivos, ivos_here, refused
from tests.propagation.scenes import drawn_on, moving_discs

RECIPES = Path(__file__).parents[2] / "configs"
CONFIGS = sorted(RECIPES.glob("*/propagation/*.yaml"))


pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's own


@pytest.mark.usefixtures("few_walks")
def test_on_synthetic_scans(tmp_path: Path) -> None:
    done = ivos_here("train", "propagation", "-o", tmp_path, "steps=1", "workers=0")
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "fast.safetensors") in done.stdout
    assert int(read_weights(tmp_path / "fast.safetensors")["encode4.1.1.num_batches_tracked"]) > 0
    scan, labels = moving_discs(slices=4, size=48)
    package.write(tmp_path / "scan.nii.gz", scan)
    package.write(tmp_path / "slices.nii.gz", drawn_on(labels, 1))
    files = (tmp_path / "scan.nii.gz", "--annotations", tmp_path / "slices.nii.gz", "-o", tmp_path / "out.nii.gz")
    assert ivos("propagate", *files, "--checkpoint", tmp_path / "fast.safetensors").returncode == 0


def _own(folder: Path, count: int) -> None:
    for number in range(count):
        scan, labels = moving_discs(slices=8, size=48)
        package.write(folder / "scans" / f"case{number}_0000.nii.gz", scan)
        package.write(folder / "labels" / f"case{number}.nii.gz", labels)


@pytest.mark.usefixtures("few_walks")
def test_own_scans_go_on_from_the_bundled_weights_and_from_where_a_run_stopped(tmp_path: Path) -> None:
    _own(tmp_path / "own", 5)
    run = ("train", "propagation", f"data.scans={tmp_path / 'own'}", "-o", tmp_path / "run", "workers=0")
    for steps in (1, 2):
        done = ivos_here(*run, f"steps={steps}")
        assert done.returncode == 0, done.stderr
    assert torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["global_step"] == 2
    bundled, tuned = load_fast(), load_fast(tmp_path / "run" / "fast.safetensors")
    for before, after in zip(bundled.parameters(), tuned.parameters(), strict=True):
        torch.testing.assert_close(after, before, rtol=0.01, atol=0.01)
    assert "holds a run with seed=0, not 1" in refused(*run, "steps=3", "seed=1")


@pytest.mark.usefixtures("few_walks")
@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: "-".join(path.relative_to(RECIPES).with_suffix("").parts))
def test_every_recipe_runs(tmp_path: Path, config: Path) -> None:
    _own(tmp_path / "own", 5)
    small = [f"data.scans={tmp_path / 'own'}", "workers=0", "steps=2", "validate_every=2"]
    if "stcn" in config.name:
        small += ["network.size=32", "network.batch=1", "network.key_encoder=mobilenetv3"]
    if load_settings(PropagationSettings, [config]).init is not None:
        save_propagation(STCN(encoder="mobilenetv3"), tmp_path / "begun.safetensors")
        small.append(f"init={tmp_path / 'begun.safetensors'}")
    settings = load_settings(PropagationSettings, [config, *small])
    train = train_stcn if settings.network.name == "stcn" else train_fast
    assert train(settings, tmp_path / "run").exists()
    assert "val_dsc" in next((tmp_path / "run" / "log").rglob("metrics.csv")).read_text()
    assert (tmp_path / "run" / "best.ckpt").exists()
    assert list((tmp_path / "run" / "tensorboard").rglob("events*"))


def test_what_cannot_be_trained_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    run = ("train", "propagation", "-o", tmp_path / "run")
    assert "steps=0" in refused(*run, "steps=0")
    assert "neither a settings file" in refused(*run, "nothing")
    assert "'network.sizes' is not a setting; did you mean 'network.size'" in refused(
        *run, "network.name=stcn", "network.sizes=3", "data.scans=a"
    )
    assert "'network.name' is missing" in refused(*run, "network.size=64")
    assert "seed=-1" in refused(*run, "seed=-1")
    assert "data.scans is missing" in refused(*run, "network.name=stcn")
    assert "all shares are 0" in refused(*run, "data.scans=a", "network.name=stcn", "network.learn_from.slices=0")
    assert "no such folder" in refused(*run, f"data.scans={tmp_path / 'nowhere'}")
    assert not (tmp_path / "run" / "settings.yaml").exists()
