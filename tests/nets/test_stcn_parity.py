"""The published network computes what it computed where it was published, from a checkpoint file to probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from ivos.nets.checkpoints import load_stcn
from ivos.propagation.engines.stcn import STCNEngine
from tests.nets.weights import published, run, scene

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parity


def checkpoint(fixture: str, folder: Path, target: Path) -> Path:
    names = "ivos_stcn_state_dict.json" if fixture.startswith("ivos") else "stcn_state_dict.json"
    weights = published(folder / names)
    torch.save(weights, target)
    return target


@pytest.mark.parametrize("fixture", ["stcn_forward", "stcn_single_object", "ivos_stcn_forward"])
def test_parity(fixture: str, parity_folder: Path, tmp_path: Path) -> None:
    expected = np.load(parity_folder / f"{fixture}.npz")
    seed, frames, height, width, k = (int(expected[name]) for name in ("seed", "T", "H", "W", "k"))
    images, label = scene(seed, frames, height, width, k)
    np.testing.assert_array_equal(label, expected["label0"])
    engine = STCNEngine(
        load_stcn(checkpoint(fixture, parity_folder, tmp_path / "weights.pth")),
        device=torch.device("cpu"),
        memory_budget_bytes=10**9,
        top_k=int(expected["top_k"]),
        memory_every=int(expected["mem_every"]),
        keep_last=bool(expected["include_last"]),
    )
    found = run(engine, images, label, k)
    assert np.abs(found - expected["prob"][:, 1:]).max() < 1e-4
