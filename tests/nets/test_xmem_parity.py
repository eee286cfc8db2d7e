"""The published XMem computes what it computed where it was published, from a checkpoint file to probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from ivos.nets.checkpoints import load_xmem
from ivos.propagation.engines.xmem import XMemEngine
from ivos.propagation.memory.long_term import LongTermSizes
from tests.nets.weights import published, run, scene

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parity


def test_parity(parity_folder: Path, tmp_path: Path) -> None:
    expected = np.load(parity_folder / "xmem_long_term.npz")
    seed, frames, height, width, k = (int(expected[name]) for name in ("seed", "T", "H", "W", "k"))
    images, label = scene(seed, frames, height, width, k)
    np.testing.assert_array_equal(label, expected["label0"])
    torch.save(published(parity_folder / "xmem_state_dict.json"), tmp_path / "XMem.pth")
    config = {name.removeprefix("cfg_"): int(expected[name]) for name in expected.files if name.startswith("cfg_")}
    every = config["deep_update_every"]
    engine = XMemEngine(
        load_xmem(tmp_path / "XMem.pth"),
        device=torch.device("cpu"),
        memory_budget_bytes=10**9,
        top_k=config["top_k"],
        memory_every=config["mem_every"],
        deep_update_every=every if every > 0 else None,
        long_term=LongTermSizes(  # the published working memory counts the first slice, which is annotated, in
            working=config["max_mid_term_frames"] - 1,
            kept=config["min_mid_term_frames"] - 1,
            prototypes=config["num_prototypes"],
            elements=config["max_long_term_elements"],
        ),
    )
    found = run(engine, images, label, k)
    assert np.abs(found - expected["prob"][:, 1:]).max() < 1e-4
