"""`ivos train propagation`: stopped and taken up again, and of use to `ivos propagate`."""

from __future__ import annotations

from pathlib import Path

import torch

import ivos as package
from ivos.nets.checkpoints import load_fast, read_weights
from tests.cli.runner import ivos, refused
from tests.propagation.scenes import drawn_on, moving_discs


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    run = tmp_path / "run"
    for steps in (1, 2):
        done = ivos("train", "propagation", "-o", run, "--steps", steps, "--workers", 0)
        assert done.returncode == 0, done.stderr
        assert str(run / "fast.safetensors") in done.stdout
        seen = read_weights(run / "fast.safetensors")["encode4.1.1.num_batches_tracked"]
        assert int(seen) > 0
    scan, labels = moving_discs(slices=4, size=48)
    package.write(tmp_path / "scan.nii.gz", scan)
    package.write(tmp_path / "slices.nii.gz", drawn_on(labels, 1))
    files = (tmp_path / "scan.nii.gz", "--annotations", tmp_path / "slices.nii.gz", "-o", tmp_path / "out.nii.gz")
    assert ivos("propagate", *files, "--engine", "fast", "--checkpoint", run / "fast.safetensors").returncode == 0


def test_impossible_settings_are_refused(tmp_path: Path) -> None:
    assert "--steps 0" in refused("train", "propagation", "-o", tmp_path, "--steps", "0")
    assert "--workers -1" in refused("train", "propagation", "-o", tmp_path, "--workers", "-1")


def test_own_scans_go_on_from_the_bundled_weights(tmp_path: Path) -> None:
    for number in range(5):
        scan, labels = moving_discs(slices=8, size=48)
        package.write(tmp_path / "scans" / f"case{number}_0000.nii.gz", scan)
        package.write(tmp_path / "labels" / f"case{number}.nii.gz", labels)
    own = ("--scans", tmp_path / "scans", "--labels", tmp_path / "labels")
    done = ivos("train", "propagation", "-o", tmp_path / "run", *own, "--steps", 1, "--workers", 0)
    assert done.returncode == 0, done.stderr
    bundled, tuned = load_fast(), load_fast(tmp_path / "run" / "fast.safetensors")
    for before, after in zip(bundled.parameters(), tuned.parameters(), strict=True):
        torch.testing.assert_close(after, before, rtol=0.01, atol=0.01)


def test_own_scans_that_do_not_fit_are_refused_before_training(tmp_path: Path) -> None:
    scan, _ = moving_discs(slices=4, size=24)
    _, other = moving_discs(slices=5, size=24)
    package.write(tmp_path / "scans" / "a.nii.gz", scan)
    package.write(tmp_path / "labels" / "a.nii.gz", other)
    run = ("train", "propagation", "-o", tmp_path / "run")
    assert "belong together" in refused(*run, "--scans", tmp_path / "scans")
    assert "not on the scan's grid" in refused(*run, "--scans", tmp_path / "scans", "--labels", tmp_path / "labels")
    assert not (tmp_path / "run").exists()
