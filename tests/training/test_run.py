"""Runs: a rate that is looked for, an end before the last step, and the best checkpoint."""

from __future__ import annotations

import csv
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import torch

import ivos as package
from ivos.config import load_settings
from ivos.phantom import abdomen
from ivos.training.data.prepare import prepare
from ivos.training.module import rate_factor
from ivos.training.reference.settings import ReferenceSettings
from ivos.training.reference.train import train_reference
from ivos.training.run_settings import OptimiserSettings
from tests.cli.runner import refused

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's own


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    for number in range(3):
        phantom = abdomen(number, shape=(8, 32, 32))
        package.write(folder / "images" / f"{number}.nii.gz", phantom.scan)
        package.write(folder / "labels" / f"{number}.nii.gz", phantom.labels)
    prepare(folder, folder / "prepared", folds=3)
    return folder / "prepared"


def _train(prepared: Path, run: Path, *changes: str) -> list[dict[str, str]]:
    """The rows of the log."""
    small = (f"data.scans={prepared}", "data.size=32", "data.workers=0", "data.batch=1", "data.structures=[1]")
    train_reference(load_settings(ReferenceSettings, [*small, *changes]), run)
    with next((run / "log").rglob("metrics.csv")).open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_rate_is_found_once_and_kept(prepared: Path, tmp_path: Path) -> None:
    _train(prepared, tmp_path / "run", "optimiser.rate=find", "steps=2")
    found = load_settings(ReferenceSettings, [tmp_path / "run" / "settings.yaml"]).optimiser.rate
    assert isinstance(found, float)
    assert 1e-6 < found < 0.1
    _train(prepared, tmp_path / "run", "optimiser.rate=find", "steps=3")
    assert load_settings(ReferenceSettings, [tmp_path / "run" / "settings.yaml"]).optimiser.rate == found


def test_it_ends_when_nothing_gets_better_and_keeps_the_best(prepared: Path, tmp_path: Path) -> None:
    still = ("optimiser.rate=1e-9", "optimiser.schedule=constant", "precision=float32")
    rows = _train(prepared, tmp_path / "run", *still, "steps=60", "validate_every=2", "patience=2")
    scores = [float(row["val_dsc"]) for row in rows if row.get("val_dsc")]
    assert len(scores) == 3
    last = (tmp_path / "run" / "last.ckpt").read_bytes()
    _train(prepared, tmp_path / "run", *still, "steps=60", "validate_every=2", "patience=2")
    assert (tmp_path / "run" / "last.ckpt").read_bytes() == last
    best = torch.load(tmp_path / "run" / "best.ckpt", weights_only=True)
    assert best["global_step"] == 2 * (1 + max(range(3), key=scores.__getitem__))


@pytest.mark.parametrize("schedule", ["poly", "cosine", "late", "multistep"])
def test_rates_rise_and_fall(schedule: str) -> None:
    chosen = OptimiserSettings.model_validate({"schedule": schedule, "warm_up": 9, "drops": (0.5, 0.8)})
    rates = [rate_factor(chosen, 100, step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1, abs=0.01)
    assert max(rates) > 0.8
    assert rates[100] == pytest.approx(0.01 if schedule == "multistep" else 0)
    assert all(a >= b for a, b in pairwise(rates[10:]))


def test_what_a_run_cannot_do_is_refused(prepared: Path, tmp_path: Path) -> None:
    run = ("train", "reference", f"data.scans={prepared}", "-o", tmp_path / "run")
    assert "run it with devices=1 first" in refused(*run, "optimiser.rate=find", "devices=2")
    assert "optimiser.rate=fast: input should be a valid number" in (said := refused(*run, "optimiser.rate=fast"))
    assert "'find'" in said
    assert "has folds 0 to 2" in refused(*run, "data.fold=3")
    assert "has 2 to train on" in refused(*run, "data.labelled=3")
    (tmp_path / "run").mkdir(exist_ok=True)
    (tmp_path / "run" / "last.ckpt").write_bytes(b"damaged")
    (tmp_path / "run" / "settings.yaml").write_text(f"data: {{scans: {prepared}}}\noptimiser: {{rate: 0.001}}")
    assert "a damaged checkpoint" in refused(*run)
    (tmp_path / "run" / "last.ckpt").unlink()
    assert "init names 1" in refused(*run, "method=cps", "networks=[small,small]", "init=[a.safetensors]")
    assert "no such checkpoint file" in refused(*run, "init=[a.safetensors]")
