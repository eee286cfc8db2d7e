"""`ivos train refinement`, and propagation with what it wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

import ivos as package
from ivos.nets.checkpoints import load_refine
from tests.cli.runner import ivos, refused
from tests.propagation.scenes import drawn_on, moving_discs

if TYPE_CHECKING:
    from pathlib import Path


def test_volumes_are_propagated_once_and_the_weights_are_of_use(tmp_path: Path) -> None:
    run = ("train", "refinement", "-o", tmp_path / "run", "volumes=1", "workers=0", "batch=1", "validate_every=1")
    done = ivos(*run, "steps=1")
    assert done.returncode == 0, done.stderr
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "crops").iterdir()}
    assert len(made) == 2  # one to learn from, one to validate on
    done = ivos(*run, "steps=2")
    assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "crops").iterdir()} == made
    assert torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["global_step"] == 2
    weights = tmp_path / "run" / "refine.safetensors"
    assert not any(parameter.isnan().any() for parameter in load_refine(weights).parameters())

    scan, labels = moving_discs(slices=6, size=48)
    package.write(tmp_path / "scan.nii.gz", scan)
    package.write(tmp_path / "slices.nii.gz", drawn_on(labels, 1, 4))
    files = (tmp_path / "scan.nii.gz", "--annotations", tmp_path / "slices.nii.gz", "-o", tmp_path / "out.nii.gz")
    done = ivos("propagate", *files, "--refinement", weights)
    assert done.returncode == 0, done.stderr
    found = package.read_labels(tmp_path / "out.nii.gz").array
    assert (found[[1, 4]] == labels.array[[1, 4]]).all()
    bundled = package.__path__[0] + "/nets/strokes.safetensors"
    assert "not the weights of RefineNet" in refused("propagate", *files, "--refinement", bundled)
