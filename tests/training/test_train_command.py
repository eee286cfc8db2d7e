"""`ivos train propagation`: stopped and taken up again, and of use to `ivos propagate`."""

from __future__ import annotations

from pathlib import Path

import ivos as package
from ivos.nets.checkpoints import read_weights
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
